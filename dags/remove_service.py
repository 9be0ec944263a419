"""``remove_service``: removes a service from an environment, route first. The images stay."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.removal import removal
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.events import runs
from manifest_engine.operators.removal.approve_removal import ApproveRemoval
from manifest_engine.operators.removal.remove_service import (
    RecordRemoval,
    RemoveRoute,
    RemoveWorkload,
    ValidateRemoval,
)

GUIDE = """
### Remove a service

Removes a service from one environment: first the public route, so that no request goes to ending
pods, then Deployment, Service, PodDisruptionBudget and autoscaler. The run ends when the pods have
ended. Objects that no release created are left alone. **Images stay in the registry**: deploy the
version again to restore the service.

**Fill in** component, service name and environment, and **type `{component}-{serviceName}` into
*Confirm***. The removal of a service that is not deployed succeeds.

If the environment asks for an approval, `approve` waits for a person (see *Required Actions*)
before any object is removed. The run waits for a rollout of the same service. A deployment that
was requested before the removal and is not rolled out yet is refused later as superseded. If the
service was deployed after the request for the removal, the removal is refused.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="remove_service",
    dag_display_name="Remove a service",
    description="Removes the route and the workload of a service; its images stay",
    doc_md=GUIDE,
    params=dag_settings.params(form.request_fields(removal.Request, ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateRemoval(
        task_id="validate_removal", approval="approve", outlets=runs.outlets(ENVIRONMENTS)
    )
    planned = validate.output
    approve = ApproveRemoval(task_id="approve", removal=planned)
    # none_failed, because approve may be skipped
    shared = {"removal": planned, "approval": approve.output, "trigger_rule": "none_failed"}
    route = RemoveRoute(task_id="remove_route", **shared)
    workload = RemoveWorkload(task_id="remove_workload", **shared)
    record = RecordRemoval(
        task_id="record_removal",
        removal=planned,
        route=route.output,
        workload=workload.output,
    )
    chain(validate, approve, route, workload, record)
