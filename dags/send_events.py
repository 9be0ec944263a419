"""``send_events``: sends events, chat messages and metrics, if a receiver is configured."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from manifest_engine.domain.environment import environments
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.events.runs import RUNS
from manifest_engine.operators.events.send_events import SendEvents

GUIDE = """
### Send events

Reports the end of each deployment, rollback and removal, and each wait for an approval, to the
receivers in `environments.yaml` (`events`, `notify`, `metrics`).

Airflow starts a run for each event. Each receiver gets its events in order and at least once. If a
receiver does not answer, the task is **tried again for 24 hours**, without a delay for other
receivers and for deployments. A manual run sends all unsent events.
"""

if any(environment.tells for environment in environments.load().values()):
    with DAG(
        dag_id="send_events",
        dag_display_name="Send events",
        description="Sends events, chat messages and metrics about deployments",
        doc_md=GUIDE,
        schedule=[RUNS],
        catchup=False,
        is_paused_upon_creation=False,
        tags=["manifest-engine"],
        max_active_runs=1,  # two runs at a time could change the order of events
        default_args=dag_settings.TASKS | {"retries": 1500},
    ):
        SendEvents(task_id="send_events", execution_timeout=timedelta(minutes=10))
