"""``send_events``: tells webhooks, chats and metrics about deployments, if any is configured."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from manifest_engine.domain.environment import environments
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.events.runs import RUNS
from manifest_engine.operators.events.send_events import SendEvents

GUIDE = """
### Send events

Tells the receivers in `environments.yaml` (`events`, `notify`, `metrics`) about deployments,
rollbacks and removals that have ended, and about those that wait for an approval.

A run starts whenever something is to be told. Each receiver gets its events in order and at least
once. If a receiver does not answer, the task is **tried again for 24 hours**; the other receivers
get their events meanwhile, and no deployment waits. A run by hand sends what is still to be sent.
"""

if any(environment.tells for environment in environments.load().values()):
    with DAG(
        dag_id="send_events",
        dag_display_name="Send events",
        description="Tells webhooks, chats and metrics about deployments",
        doc_md=GUIDE,
        schedule=[RUNS],
        catchup=False,
        is_paused_upon_creation=False,
        tags=["manifest-engine"],
        max_active_runs=1,  # one sender, so that the events of a service stay in order
        default_args=dag_settings.TASKS | {"retries": 1500},
    ):
        SendEvents(task_id="send_events", execution_timeout=timedelta(minutes=10))
