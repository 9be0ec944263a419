"""Fills Airflow's database with the runs of many services, by copies of one run in SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from manifest_engine.domain.record import deployment
from sqlalchemy import Connection, insert, text

SERVICES = 1_000
RUNS = 20_000
ENVIRONMENTS = ("dev", "stage", "prod")
FOLLOWED = 50
"""Number of runs that have not ended."""
_DIGEST = "sha256:" + "0" * 64
_SETTINGS = {f"setting{number}": "x" * 60 for number in range(40)}
"""As large as the environment and the defaults in the release of a real run, about 3 KB."""

_RUN = """
INSERT INTO dag_run SELECT made.* FROM dag_run template, generate_series(1, :runs) n,
LATERAL jsonb_populate_record(template, jsonb_build_object(
    'id', n + 1, 'run_id', 'api__' || n, 'queued_at', now(),
    'run_after', now() - ((:runs - n) || ' minutes')::interval,
    'state', CASE WHEN n > :runs - :followed THEN 'running' WHEN n % 10 = 0 THEN 'failed'
                  ELSE 'success' END,
    'conf', jsonb_build_object(
        'component', 'component-' || (n % 40), 'serviceName', 'service-' || (n % :services),
        'version', '1.' || (n / :services) || '.0',
        'environment', (ARRAY['dev', 'stage', 'prod'])[n % 3 + 1],
        'env', jsonb_build_object('LEVEL', n))
)) made WHERE template.run_id = 'template'
"""
_TASKS = """
INSERT INTO task_instance SELECT made.* FROM task_instance template, generate_series(1, :runs) n,
LATERAL jsonb_populate_record(template, jsonb_build_object(
    'id', gen_random_uuid(), 'run_id', 'api__' || n,
    'state', CASE WHEN template.task_id <> 'watch_release' THEN 'success'
                  WHEN n > :runs - :followed THEN 'running' WHEN n % 10 = 0 THEN 'failed'
                  ELSE 'success' END
)) made WHERE template.run_id = 'template'
"""
_XCOMS = """
INSERT INTO xcom SELECT made.* FROM xcom template, generate_series(1, :runs) n,
LATERAL jsonb_populate_record(template, jsonb_build_object(
    'dag_run_id', n + 1, 'run_id', 'api__' || n
)) made WHERE template.run_id = 'template'
"""
_END = """
SELECT setval(pg_get_serial_sequence('dag_run', 'id'), :runs + 2)
"""


def fill(connection: Connection) -> None:
    """Add ``RUNS`` runs of ``SERVICES`` services, each with its tasks and XComs."""
    _add_template(connection)
    # Without statistics, the check of each foreign key reads all runs.
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    counts = {"runs": RUNS, "services": SERVICES, "followed": FOLLOWED}
    for statement in (_RUN, _TASKS, _XCOMS, _END):
        used = {name: value for name, value in counts.items() if f":{name}" in statement}
        connection.execute(text(statement), used)
    connection.execute(text("DELETE FROM xcom WHERE run_id = 'template'"))
    connection.execute(text("DELETE FROM task_instance WHERE run_id = 'template'"))
    connection.execute(text("DELETE FROM dag_run WHERE run_id = 'template'"))


def _add_template(connection: Connection) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel

    now = datetime.now(UTC)
    at = {"dag_id": deployment.DEPLOY, "run_id": "template"}
    run = {"id": 1, "run_type": "manual", "run_after": now, "state": "success", "conf": {}}
    connection.execute(insert(DagRun).values(**at, **run, triggering_user_name="ada"))
    times = {"start_date": now, "end_date": now, "try_number": 1, "pool": "default_pool"}
    for step in deployment.STEPS:
        values = {"task_id": step, "state": "success", **times}
        connection.execute(insert(TaskInstance).values(**at, **values))
    release = {"environment": _SETTINGS}  # without a manifest, which is in the run's conf
    xcoms: dict[tuple[str, str], Any] = {
        ("validate", "return_value"): release,
        ("download_artifact", "return_value"): {"sha256": "0" * 64, "size": 1},
        ("build_image", "return_value"): {"builtFrom": {"bases": {"python:3.11": _DIGEST}}},
        ("push_image", "return_value"): {"digest": _DIGEST},
        ("publish_route", "return_value"): {"url": "https://dev.example.com/x"},
        ("watch_release", "error"): "The pods crash.",
        ("record_release", "return_value"): {"digest": _DIGEST, "notes": "x" * 500},
    }
    for (task, key), value in xcoms.items():
        where = {"dag_run_id": 1, "task_id": task, "key": key, "map_index": -1}
        connection.execute(insert(XComModel).values(**at, **where, value=value))


def deployments(environment: str) -> list[dict[str, Any]]:
    """The Deployments of an environment as a cluster lists them, with our annotations."""
    from manifest_engine.domain.release import annotations as annotation
    from manifest_engine.domain.release import labels as label

    found = []
    for number in range(SERVICES):
        if ENVIRONMENTS[number % 3] != environment:
            continue
        component, name = f"component-{number % 40}", f"service-{number}"
        manifest = (
            f'{{"component":"{component}","serviceName":"{name}","version":"1.19.0",'
            f'"environment":"{environment}"}}'
        )
        annotations = {
            annotation.MANIFEST: manifest,
            annotation.DIGEST: _DIGEST,
            annotation.ARTIFACT: f"datafactory/{component}/{name}.zip",
            annotation.RUN_ID: f"api__{RUNS - SERVICES + number}",
            annotation.REQUESTED_BY: "ada",
            annotation.REQUESTED_AT: "2026-11-01T00:00:00+00:00",
            annotation.OBJECTS: "x" * 8_000,
            annotation.LAST_GOOD: "x" * 8_000,
        }
        labels = {label.COMPONENT: component, label.NAME: name}
        condition = {"type": "Progressing", "reason": "NewReplicaSetAvailable"}
        found.append(
            {
                "metadata": {
                    "name": f"{component}-{name}",
                    "labels": labels,
                    "annotations": annotations,
                },
                "spec": {"replicas": 2},
                "status": {"readyReplicas": 2, "updatedReplicas": 2, "conditions": [condition]},
            }
        )
    return found
