"""A manifest that is too large fails in ``validate`` and does not delay the scheduler."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.e2e.record.test_audit import LOG, written

SECONDS = 60
"""Time limit of a refused run; the audit once blocked the scheduler for minutes."""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"env": {"BIG_CONFIG": "x" * 140_000}},
            "env.BIG_CONFIG takes 140011 bytes as NAME=value; Linux takes at most 131071 bytes",
        ),
        (
            {"env": {f"BIG_{at}": "token" * 20_000 for at in range(40)}},
            "The largest field is env.BIG_1",
        ),
        ({f"key-{at}": "v" for at in range(5_000)}, "at most 65536 are allowed"),
        ({f"key-{at}": "v" for at in range(900)}, "and 894 more problems"),
    ],
    ids=["variable", "megabytes", "keys", "problems"],
)
def test_a_large_manifest_is_refused_and_has_a_small_audit_entry(api, fields, said):
    run_id = f"limits-{uuid.uuid4().hex[:8]}"
    named: dict[str, Any] = {"component": "e2e", "serviceName": "limits", "version": "1.0"}
    api.trigger("deploy_service", named | {"environment": "dev"} | fields, run_id)
    assert _state(api, run_id) == "failed"
    sentence = api.xcom(f"dags/deploy_service/dagRuns/{run_id}", "validate", "error")
    assert said in sentence
    written(run_id, "started")
    ended = written(run_id, "ended")
    assert (ended["failedStep"], ended["sentence"]) == ("validate", sentence)
    lines = [line for line in LOG.read_bytes().splitlines() if json.loads(line)["run"] == run_id]
    assert max(map(len, lines)) < 16 * 1024


def _state(api, run_id):
    """Wait for the end of the run; returns its state."""
    answer = api.session.get(
        f"{api.base}/dags/deploy_service/dagRuns/{run_id}/wait?interval=0.5", timeout=SECONDS
    )
    return json.loads(answer.text.splitlines()[-1])["state"]
