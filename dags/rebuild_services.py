"""``rebuild_services``: every night, what runs is built again where its base image has moved."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from manifest_engine.domain.environment import environments
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.rebuild.plan_rebuilds import PlanRebuilds
from manifest_engine.operators.rebuild.rebuild_service import RebuildService
from manifest_engine.operators.rebuild.summarise_rebuilds import SummariseRebuilds

GUIDE = """
### Rebuild services

What is deployed is found in the clusters themselves. A service is rebuilt from its recorded
manifest and its stored artifact when a base image, the standard Dockerfile or a build argument has
changed since its image was built; for all others nothing is built, pushed or rolled out. Each
rebuild is a run of `deploy_service` with all its checks: smoke test, rollout without an outage,
roll back.

**Every night** all environments; **by hand** one environment, component or service. ***Force***
builds without cache, so that packages whose version is not pinned move.

What a person deploys, rolls back or removes meanwhile stays. An approval is asked for where an
environment wants one, and not waited for. **The end is a table** in the log of
`summarise` (XCom `table`): rebuilt, unchanged, failed with the reason, skipped. One that fails
never stops the others; the run is red after all have been done.
"""

SETTINGS = environments.rebuilds()

with DAG(
    dag_id="rebuild_services",
    dag_display_name="Rebuild services",
    description="What runs is built again where its base image or Dockerfile has changed",
    doc_md=GUIDE,
    schedule=CronTriggerTimetable(SETTINGS.cron, timezone=SETTINGS.timezone),
    catchup=False,
    params=dag_settings.params(rebuild_form.form_fields(environments.load())),
    tags=["manifest-engine"],
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=20),
    default_args=dag_settings.TASKS,
):
    plan = PlanRebuilds(task_id="plan")
    rebuild = RebuildService.partial(
        task_id="rebuild",
        map_index_template="{{ task.title }}",
        max_active_tis_per_dagrun=SETTINGS.at_once,
    ).expand_kwargs(plan.output)
    rebuild >> SummariseRebuilds(task_id="summarise", plan="plan", rebuild="rebuild")
