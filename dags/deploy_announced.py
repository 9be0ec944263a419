"""``deploy_announced``: deploys a ZIP that Artifactory has announced by its webhook."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG
from manifest_engine.domain.environment import environments
from manifest_engine.operators.artifact.read_announced import ReadAnnounced
from manifest_engine.operators.core import dag_settings

GUIDE = """
### Deploy an announced ZIP

Artifactory's webhook starts a run for each new ZIP at a path in `webhook.paths` of an environment.
`read_manifest` reads `manifest.json` in the ZIP, and skips a version that is older than the live
version. `deploy` starts *Deploy a service*.
"""

if any(environment.webhook for environment in environments.load().values()):
    with DAG(
        dag_id="deploy_announced",
        dag_display_name="Deploy an announced ZIP",
        description="Deploys a ZIP that Artifactory has announced by its webhook",
        doc_md=GUIDE,
        tags=["manifest-engine"],
        max_active_runs=16,
        dagrun_timeout=timedelta(hours=1),
        default_args=dag_settings.TASKS,
        **dag_settings.ON_REQUEST,
    ):
        read = ReadAnnounced(task_id="read_manifest", **dag_settings.HEAVY)
        TriggerDagRunOperator(
            task_id="deploy",
            trigger_dag_id="deploy_service",
            trigger_run_id="{{ run_id }}",
            conf=read.output,
            logical_date=None,
            skip_when_already_exists=True,
            openlineage_inject_parent_info=False,  # the parent's data would make the conf invalid
        )
