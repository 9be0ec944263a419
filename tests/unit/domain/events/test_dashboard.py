"""The example dashboard and docs/metrics.md name the metrics that are sent, and all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from manifest_engine.domain.events import measure

from tests.unit.domain.events.runs import facts, failed

ROOT = Path(__file__).resolve().parents[4]
RUNS = (facts(), failed(), failed("apply_deployment", "rolled back"))
SENT = {item.name.partition(".")[2]: item for run in RUNS for item in measure.of_run(run)}


def test_the_page_lists_every_metric_with_its_tags():
    text = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `manifest_engine\.(\w+)` \| (\w+) \| ([^|]+) \|", text, re.MULTILINE)
    listed = {name: (kind, re.findall(r"`(\w+)`", tags)) for name, kind, tags in rows}
    assert listed == {
        name: ("timer" if item.duration else "counter", list(item.tags))
        for name, item in SENT.items()
    }


def test_the_dashboard_shows_every_metric_and_no_other():
    text = (ROOT / "include/examples/metrics/grafana-dashboard.json").read_text()
    panels = json.loads(text)["panels"]
    expressions = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    found = set(re.findall(r"airflow_manifest_engine_(\w+?)_(?:total|sum|count)\b", expressions))
    assert found == set(SENT)
    labels = set(re.findall(r"\b(\w+)=~?\"", expressions)) | {
        name.strip()
        for group in re.findall(r"by \(([^)]+)\)", expressions)
        for name in group.split(",")
    }
    assert labels <= {tag for item in SENT.values() for tag in item.tags}
