"""The audit: the listener's file and the command have the same entries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from sandbox.core.settings import REPOSITORY, SETTINGS

LOG = SETTINGS.state / "airflow/logs/manifest-engine-audit.jsonl"


def written(run_id, event):
    """The line of a run, which the scheduler writes when it changes the run's state."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        entries = map(json.loads, LOG.read_text().splitlines()) if LOG.exists() else []
        found = [item for item in entries if (item["run"], item["event"]) == (run_id, event)]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.2)
    return pytest.fail(
        f"no line in {LOG}; restart an Airflow that was started without the listener"
    )


def listed(environment, *words):
    command = [sys.executable, "-m", "manifest_engine.audit", "--since", "10m", *words]
    variables = {**os.environ, **environment, "PYTHONPATH": str(REPOSITORY / "plugins")}
    return subprocess.run(
        command, env=variables, check=True, capture_output=True, text=True, timeout=120
    ).stdout


def live(environment):
    """The output of ``kubectl`` for all releases, with the columns that the README names."""
    chosen = ["--selector", "app.kubernetes.io/managed-by=manifest-engine"]
    shown = ["--output", f"custom-columns-file={REPOSITORY / 'include/releases.columns'}"]
    return subprocess.run(
        ["kubectl", "get", "deployments", "--all-namespaces", *chosen, *shown],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()


def test_a_deployment_and_a_failure_are_written_and_listed_alike(service, environment):
    plain = service("plain-service")
    good = plain.deploy(to_end=True, env={"API_KEY": "hunter2", "LEVEL": "debug"})
    assert good.ok, good.error
    bad = plain.deploy(version="1.1.0", artifactSha256="0" * 64)
    assert not bad.ok

    begun, ended = written(good.run_id, "started"), written(good.run_id, "ended")
    assert (begun["action"], begun["by"], begun["from"]) == ("deploy", "admin", "api")
    assert (ended["result"], ended["digest"], ended["url"]) == ("success", good.digest, good.url)
    assert ended["manifest"]["env"] == {"API_KEY": "***", "LEVEL": "debug"}
    assert ended["manifest"]["replicas"] == 2
    failed = written(bad.run_id, "ended")
    assert failed["failedStep"] == bad.failed_step
    assert failed["sentence"] == bad.error
    assert "hunter2" not in LOG.read_text()

    entries = {
        item["run"]: item for item in map(json.loads, listed(environment, "--json").splitlines())
    }
    assert entries[good.run_id] == ended
    assert entries[bad.run_id] == failed
    assert bad.error.splitlines()[0] in listed(environment)

    title, *rows = map(str.split, live(environment))
    assert title == ["NAMESPACE", "SERVICE", "VERSION", "SINCE", "BY", "ZIP"]
    row = next(row for row in rows if row[1] == plain.object_name)
    assert (row[2], row[4]) == ("1.0.0", "admin")
    assert row[3][:19] == ended["requestedAt"][:19]
    name = plain.manifest["serviceName"]
    assert row[5] == f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip"
