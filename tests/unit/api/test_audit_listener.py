"""The listener writes whole lines, ignores other DAGs, and raises no error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from manifest_engine.api.listeners import audit_listener

from tests import cpu_time

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def log(tmp_path, monkeypatch):
    path = tmp_path / "made/audit.jsonl"
    monkeypatch.setenv("MANIFEST_ENGINE_AUDIT_LOG", str(path))
    return path


def a_run(dag_id="deploy_service", state="running"):
    return SimpleNamespace(
        dag_id=dag_id,
        run_id="run-1",
        state=SimpleNamespace(value=state),
        conf={"component": "pricing", "serviceName": "quotes"},
        triggered_by=SimpleNamespace(value="rest_api"),
        triggering_user_name="ada",
        run_after=NOW,
        start_date=NOW,
        end_date=None,
    )


def test_begin_and_end_of_a_run_are_one_line_each(log, monkeypatch):
    monkeypatch.setattr(audit_listener, "_found", lambda run: ({}, "build_image"))
    audit_listener.on_dag_run_running(a_run(), "started")
    audit_listener.on_dag_run_failed(a_run(state="failed"), "task_failure")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["started", "ended"]
    assert [entry["by"] for entry in entries] == ["ada", "ada"]
    assert entries[1]["failedStep"] == "build_image"


def test_a_large_conf_does_not_delay_the_scheduler(log, monkeypatch):
    monkeypatch.setattr(audit_listener, "_found", lambda run: ({}, "validate"))
    audit_listener.on_dag_run_running(a_run(), "started")  # imports what an entry needs
    run = a_run(state="failed")
    run.conf |= {
        "env": {f"BIG_{at}": "x" * 1_000_000 for at in range(9)},
        "notes": "token" * 1_000_000,
        "serviceName": "\ud800" * 1_000_000,
        "replicas": float("nan"),
        **{f"key-{at}": "v" for at in range(100_000)},
    }
    taken = []
    for _ in range(3):  # the quickest counts: neighbours on the machine cost CPU time, too
        with cpu_time.measured() as once:
            audit_listener.on_dag_run_failed(run, "task_failure")
        taken.append(once.seconds)
    assert min(taken) < 0.05
    line = log.read_text().splitlines()[-1]
    assert json.loads(line)["component"] == "pricing"
    assert len(line.encode()) <= 16 * 1024


def test_other_dags_are_ignored(log):
    audit_listener.on_dag_run_running(a_run("somebody_elses"), "started")
    assert not log.exists()


@pytest.mark.parametrize("run", [a_run(state="success"), SimpleNamespace(dag_id="deploy_service")])
def test_any_error_is_logged_and_not_raised(log, caplog, monkeypatch, run):
    monkeypatch.setattr(audit_listener, "_found", lambda run: 1 / 0)
    audit_listener.on_dag_run_success(run, "success")
    assert "The audit misses an entry" in caplog.text
    assert not log.exists()


def test_an_unwritable_path_is_logged_and_not_raised(log, caplog, monkeypatch):
    monkeypatch.setenv("MANIFEST_ENGINE_AUDIT_LOG", "/proc/no/such/file")
    audit_listener.on_dag_run_running(a_run(), "started")
    assert "The audit misses an entry" in caplog.text


def test_the_default_path_is_in_airflows_log_folder(monkeypatch):
    monkeypatch.delenv("MANIFEST_ENGINE_AUDIT_LOG", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert str(audit_listener.path()) == "/opt/airflow/logs/manifest-engine-audit.jsonl"


def test_a_run_gets_a_note_unless_it_has_one(log):
    run = a_run()
    run.note = None
    audit_listener.on_dag_run_running(run, "started")
    assert run.note == "deploy pricing-quotes"
    audit_listener.on_dag_run_running(other := a_run("someones_dag"), "started")
    assert not hasattr(other, "note")
    run.note = "by hand"
    audit_listener.on_dag_run_running(run, "started")
    assert run.note == "by hand"
