"""Routes about manifests and environments. They read the configuration alone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api.airflow_internals import GetUserDep
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import schema, validation
from manifest_engine.services.environment import user_roles

router = APIRouter(prefix="/api/v1", tags=["Manifests"])


@router.get("/manifest/schema", dependencies=[airflow.MAY_SEE], summary="The schema of a manifest")
def manifest_schema() -> dict[str, Any]:
    """JSON Schema of a manifest."""
    return schema.schema()


@router.post("/manifest/validate", dependencies=[airflow.MAY_SEE], summary="Check a manifest")
def validate(manifest: Annotated[dict[str, Any], Body(description="The manifest.")]) -> Any:
    """Check a manifest by its model and by the environment's rules; nothing is started."""
    _, problems = validation.check(manifest, environments.load())
    return {"valid": not problems, "errors": [item.dump() for item in problems]}


@router.get("/environments", dependencies=[airflow.MAY_SEE], summary="Environments of the caller")
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


def _may_deploy(user: str, environment: Environment, roles: access.Roles | None) -> bool:
    try:
        return access.is_allowed(user, environment.access.deploy, roles)
    except ConfigurationError:  # a role whose users are not known allows nobody
        return False
