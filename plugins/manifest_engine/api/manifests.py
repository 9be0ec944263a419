"""Routes about manifests, environments, and versions in Artifactory."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import deployments
from manifest_engine.api.airflow_internals import GetUserDep
from manifest_engine.api.openapi import schemas
from manifest_engine.api.problem import Refused
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ArtifactError, ConfigurationError
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import schema, validation
from manifest_engine.services.artifact import published
from manifest_engine.services.environment import user_roles

router = APIRouter(prefix="/api/v1", tags=["Manifests"])


@router.get("/manifest/schema", dependencies=[airflow.MAY_SEE], summary="The schema of a manifest")
def manifest_schema() -> dict[str, Any]:
    """JSON Schema of a manifest."""
    return schema.schema()


@router.post(
    "/manifest/validate",
    dependencies=[airflow.MAY_SEE],
    summary="Check a manifest",
    response_model=schemas.Validity,
)
def validate(
    manifest: Annotated[
        dict[str, Any], Body(title="Candidate", description="The manifest, valid or not.")
    ],
) -> Any:
    """Check a manifest against its schema and the environment's rules, without a deployment."""
    _, problems = validation.check(manifest, environments.load())
    return {"valid": not problems, "errors": [item.dump() for item in problems]}


@router.get(
    "/environments",
    dependencies=[airflow.MAY_SEE],
    summary="Environments of the caller",
    response_model=schemas.Environments,
)
def list_environments(user: GetUserDep) -> dict[str, Any]:
    """The environments that the caller may deploy to."""
    roles = user_roles.known()
    found = [
        {
            "name": name,
            "description": item.description,
            "url": item.routing.url,
            "approval": item.approval is not None,
            "components": list(item.access.components),
        }
        for name, item in environments.load().items()
        if _may_deploy(user.get_name(), item, roles)
    ]
    return {"environments": found}


Label = Annotated[str, Query(pattern=names.DNS_LABEL, max_length=names.LABEL_MAX)]


@router.get(
    "/artifacts",
    dependencies=[airflow.MAY_DEPLOY],
    summary="List the versions of a service in Artifactory",
    response_model=schemas.Artifacts,
    responses={
        404: {"description": "There is no such environment."},
        503: {"description": "Artifactory does not answer or refuses the request."},
    },
)
def list_artifacts(
    component: Label,
    service_name: Annotated[Label, Query(alias="serviceName")],
    environment: Label,
    user: GetUserDep,
) -> dict[str, Any]:
    """The ZIPs of the service, newest first, at the path where a manifest without `artifact`
    expects them. The caller must be allowed to deploy to the environment."""
    found = environments.load().get(environment)
    if found is None:
        raise Refused(404, f"There is no environment {environment!r}.")
    deployments.require_access(user, "deploy", environment)
    source = found.artifactory
    try:
        return published.list_versions(
            source.connection, source.repository, component, service_name
        )
    except ArtifactError as error:
        raise Refused(503, str(error)) from error
    except TimeoutError:
        raise Refused(
            503,
            f"Artifactory has not listed the versions within {published.LIST_SECONDS:.0f} s; try "
            "again, or enter the version by hand.",
        ) from None


def _may_deploy(user: str, environment: Environment, roles: access.Roles | None) -> bool:
    try:
        return access.is_allowed(user, environment.access.deploy, roles)
    except ConfigurationError:  # a role whose users are not known allows nobody
        return False
