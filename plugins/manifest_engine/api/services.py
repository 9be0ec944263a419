"""Routes of services: list, read, compare, roll back, restart, remove."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog, deployments
from manifest_engine.api.airflow_internals import GetUserDep
from manifest_engine.api.deployments import CallerDep
from manifest_engine.api.openapi import schemas
from manifest_engine.api.problem import Refused
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.record import overview
from manifest_engine.domain.record.overview import Filter
from manifest_engine.domain.release import rollback as rollbacks
from manifest_engine.domain.release.request import ServiceRequest
from manifest_engine.domain.removal import removal

router = APIRouter(prefix="/api/v1/services", tags=["Services"])

_SERVICE = "/{component}/{serviceName}"
_LABEL: dict[str, Any] = {"pattern": names.DNS_LABEL, "max_length": names.LABEL_MAX}
Component = Annotated[str, Path(**_LABEL, examples=["pricing"])]
ServiceName = Annotated[str, Path(alias="serviceName", **_LABEL, examples=["quotes"])]
Environment = Annotated[str | None, Query(**_LABEL, examples=["dev"])]
_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "No environment has or had this service."}
}
_STARTED: dict[str, Any] = {
    "status_code": 202,
    "response_model": schemas.Started,
    "responses": {
        **deployments.KEY_USED,
        404: {"description": "There is no such environment."},
    },
}


@router.get(
    "",
    dependencies=[airflow.MAY_READ_RUNS],
    summary="List services",
    response_model=schemas.ServicePage,
    responses={404: {"description": "The cursor belongs to another `sort`."}},
)
def list_services(
    *,
    environment: Environment = None,
    component: Annotated[str | None, Query(**_LABEL)] = None,
    service_name: Annotated[str | None, Query(alias="serviceName", **_LABEL)] = None,
    text: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=100,
            description="Part of a service's name, of its version, or of the user who deployed.",
        ),
    ] = None,
    state: schemas.ServiceState | None = None,
    result: Annotated[
        schemas.Outcome | None, Query(description="How the newest deployment ended.")
    ] = None,
    sort: Annotated[overview.Sort, Query(description="`-`: descending.")] = "service",
    limit: Annotated[int, Query(ge=1, le=overview.PAGE_MAX)] = 100,
    cursor: Annotated[str | None, Query(max_length=overview.CURSOR_MAX)] = None,
) -> dict[str, Any]:
    """A row for each service in each environment: the live release and the newest deployment.

    A removed service, and a service whose first deployment failed, are listed for a week. With
    `state=not deployed` they are listed for longer. If a cluster does not answer within 2 seconds,
    its rows show the last known state, with `observed: false`.
    """
    asked = Filter(environment, component, service_name, text, state, result)
    try:
        return catalog.list_services(asked, sort, limit, cursor)
    except ValueError as error:
        raise Refused(404, str(error)) from None


@router.get(
    _SERVICE,
    dependencies=[airflow.MAY_READ_RUNS],
    summary="Read a service",
    response_model=schemas.Service,
    responses=_NOT_FOUND,
)
def read_service(
    component: Component, service_name: ServiceName, user: GetUserDep
) -> dict[str, Any]:
    """The service in each environment: the release, the manifest, and what the caller may do."""
    found = catalog.read_service(component, service_name)
    if found is None:
        raise _unknown(component, service_name)
    for item in found["environments"]:
        item["allowed"] = catalog.allowed(item["environment"], user)
    return found


@router.get(
    f"{_SERVICE}/deployments",
    dependencies=[airflow.MAY_READ_RUNS],
    summary="List the deployments of a service",
    response_model=schemas.DeploymentPage,
    responses={404: {"description": "The service has no deployment with this cursor."}},
)
def list_deployments(
    component: Component,
    service_name: ServiceName,
    environment: Environment = None,
    limit: Annotated[int, Query(ge=1, le=catalog.HISTORY_MAX)] = 20,
    cursor: Annotated[str | None, Query(max_length=250)] = None,
) -> dict[str, Any]:
    """Deployments, rollbacks, restarts and removals, newest first: at most 1,000 in each
    environment."""
    try:
        return catalog.list_history(component, service_name, environment, limit, cursor)
    except ValueError as error:
        raise Refused(404, str(error)) from None


@router.get(
    f"{_SERVICE}/differences",
    dependencies=[airflow.MAY_READ_RUNS],
    summary="Compare two deployments of a service",
    response_model=schemas.Difference,
    responses={404: {"description": "The service does not have both deployments."}},
)
def read_difference(
    component: Component,
    service_name: ServiceName,
    before: Annotated[
        str, Query(alias="from", max_length=250, description="Id of the first deployment.")
    ],
    after: Annotated[
        str, Query(alias="to", max_length=250, description="Id of the second deployment.")
    ],
) -> dict[str, Any]:
    """Compare the manifests, the ZIPs, the images and their base images. The deployments can belong
    to different environments."""
    found = catalog.read_difference(component, service_name, before, after)
    if found is None:
        raise Refused(404, f"{component}-{service_name} does not have both deployments.")
    return found


@router.post(
    f"{_SERVICE}/rollback",
    dependencies=[airflow.MAY_ROLL_BACK],
    summary="Roll a service back",
    **_STARTED,
)
def roll_back(
    component: Component,
    service_name: ServiceName,
    asked: Annotated[schemas.RollbackRequest, Body()],
    caller: CallerDep,
) -> dict[str, Any]:
    """Return to an earlier release without a build, as a deployment with the action `rollback`.
    With `dryRun`, the deployment ends in the state `planned`, with `changes` and `choices`."""
    conf = _conf(component, service_name, asked.environment, caller.user)
    conf |= asked.model_dump(by_alias=True, exclude_defaults=True)
    rollbacks.parse(conf)
    return deployments.begin("rollback_service", conf, caller)


@router.post(
    f"{_SERVICE}/restart",
    dependencies=[airflow.MAY_RESTART],
    summary="Restart a service",
    **_STARTED,
)
def restart(
    component: Component,
    service_name: ServiceName,
    asked: Annotated[schemas.RestartRequest, Body()],
    caller: CallerDep,
) -> dict[str, Any]:
    """Replace the pods by new pods of the same release, as a deployment with the action
    `restart`."""
    conf = _conf(component, service_name, asked.environment, caller.user)
    run_conf.parse(ServiceRequest, conf, "restart")
    return deployments.begin("restart_service", conf, caller)


@router.delete(_SERVICE, dependencies=[airflow.MAY_REMOVE], summary="Remove a service", **_STARTED)
def remove(
    component: Component,
    service_name: ServiceName,
    environment: Annotated[str, Query(**_LABEL, examples=["dev"])],
    caller: CallerDep,
) -> dict[str, Any]:
    """Remove the service from one environment, as a deployment with the action `remove`: first the
    route, then the pods. The images stay in the registry."""
    conf = _conf(component, service_name, environment, caller.user, verb="remove")
    conf["confirm"] = names.object_name(component, service_name)
    removal.parse(conf)
    return deployments.begin("remove_service", conf, caller)


def _conf(
    component: str, service_name: str, environment: str, user: Any, verb: Any = "deploy"
) -> dict[str, Any]:
    """The conf of a run.

    :raises Refused: when the environment is not configured.
    :raises NotAllowed: when the environment's ``access`` does not allow the user.
    """
    try:
        environments.find(environment, environments.load())
    except ManifestError as error:
        raise Refused(404, str(error)) from None
    deployments.require_access(user, verb, environment)
    return {"component": component, "serviceName": service_name, "environment": environment}


def _unknown(component: str, service_name: str) -> Refused:
    return Refused(
        404,
        f"No environment has or had a service {service_name!r} of the component {component!r}; "
        "check both names.",
    )
