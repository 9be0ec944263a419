"""``check_installation``: checks all that a deployment needs, and changes nothing."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from manifest_engine.domain.doctor import request
from manifest_engine.domain.environment import environments
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.doctor.check_installation import CheckInstallation

GUIDE = """
### Check the installation

Checks from a worker what a deployment to one environment needs: Connections, Artifactory, the
registry and the right to push, the builders, the package index, the artifact store, each right in
the cluster, and the Gateway. **Nothing is changed**; the run ends within a minute.

**The result is a table** in the log of `check` (XCom `table`): `ok`, `missing` with the sentence
that fixes it, or `note` for what cannot be checked from here. The run fails if something is
missing. `python -m manifest_engine doctor --environment dev` prints the same table.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="check_installation",
    dag_display_name="Check the installation",
    description="Checks Connections, rights, builders and Gateway of an environment",
    doc_md=GUIDE,
    params=dag_settings.params(request.form_fields(ENVIRONMENTS)),
    tags=["manifest-engine"],
    max_active_runs=4,
    dagrun_timeout=timedelta(minutes=10),
    default_args=dag_settings.TASKS,
    **dag_settings.ON_REQUEST,
):
    CheckInstallation(task_id="check")
