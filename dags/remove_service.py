"""``remove_service``: a service leaves an environment, route first; its images stay."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.removal import removal
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.removal.approve_removal import ApproveRemoval
from manifest_engine.operators.removal.remove_service import (
    RecordRemoval,
    RemoveRoute,
    RemoveWorkload,
    ValidateRemoval,
)

GUIDE = """
### Remove a service

Takes a service out of one environment: first its public route, so that nobody is sent to pods that
go, then Deployment, Service, PodDisruptionBudget and autoscaler; it ends when the pods have ended.
Objects that a release did not make are left alone, and **images stay in the registry**: deploy the
version again to bring it back.

**Fill in** component, service name and environment, and **type `{component}-{serviceName}` into
*Confirm***. Removing what is not there is fine.

Where the environment asks for an approval, `approve` waits for a person (under *Required Actions*)
before anything goes. A deployment of the same service that goes on is waited for. If the service
was deployed after the removal was asked for, the removal is refused.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="remove_service",
    dag_display_name="Remove a service",
    description="Takes a service's route and workload out of an environment; images stay",
    doc_md=GUIDE,
    params=dag_settings.params(removal.form_fields(ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateRemoval(task_id="validate_removal", approval="approve")
    planned = validate.output
    approve = ApproveRemoval(task_id="approve", removal=planned)
    # approve is skipped where the environment asks for none.
    given = {"removal": planned, "approval": approve.output, "trigger_rule": "none_failed"}
    route = RemoveRoute(task_id="remove_route", **given)
    workload = RemoveWorkload(task_id="remove_workload", **given)
    record = RecordRemoval(
        task_id="record_removal",
        removal=planned,
        route=route.output,
        workload=workload.output,
    )
    chain(validate, approve, route, workload, record)
