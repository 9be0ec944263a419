"""``rebuild_services``: rebuilds services each night whose base image has changed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.rebuild.plan_rebuilds import PlanRebuilds
from manifest_engine.operators.rebuild.rebuild_service import RebuildService
from manifest_engine.operators.rebuild.summarise_rebuilds import SummariseRebuilds

GUIDE = """
### Rebuild services

Reads the deployed services from the clusters. A service is rebuilt from its recorded manifest and
its stored artifact if a base image, the standard Dockerfile or a build argument has changed since
the build of its image. For all other services, nothing is built, pushed or rolled out. Each rebuild
is a run of `deploy_service` with the same smoke test, rollout and rollback.

**Each night** the run covers all environments. **By hand** you can select an environment, a
component or a service. ***Force*** builds without the cache, so that packages without a pinned
version are updated.

A service that a person deploys, rolls back or removes meanwhile is left alone. If an environment
asks for an approval, the rebuild asks and the nightly run does not wait for the answer.

**The result is a table** in the log of `summarise` (XCom `table`): rebuilt, unchanged, failed with
the reason, or skipped. A failed service does not stop other services; the run fails after all
services are done.
"""

SETTINGS = environments.rebuilds()

with DAG(
    dag_id="rebuild_services",
    dag_display_name="Rebuild services",
    description="Rebuilds services whose base image, Dockerfile or build argument has changed",
    doc_md=GUIDE,
    schedule=CronTriggerTimetable(SETTINGS.cron, timezone=SETTINGS.timezone),
    catchup=False,
    params=dag_settings.params(form.request_fields(rebuild_form.Request, environments.load())),
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
