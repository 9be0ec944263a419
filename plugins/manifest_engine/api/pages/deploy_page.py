"""The page that deploys: a form for the manifest, with checks while typing, and a dry run."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog, deployments, manifests
from manifest_engine.api.airflow_internals import GetUserDep
from manifest_engine.api.pages import templates
from manifest_engine.api.problem import Refused
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import page_form
from manifest_engine.domain.manifest import validation
from manifest_engine.domain.record import deployment

router = APIRouter()

_INPUTS_MAX = 5_000
_PREFILLED = ("component", "serviceName", "version", "environment")
_ONCE = ("dryRun", "restart", "takeOver", "notes", "rebuild")
"""Keys for a single run, which are not copied from an earlier manifest to the form."""
_MISSING = "is missing"
Text = Annotated[str, Query(max_length=250)]


@router.get("/deploy", dependencies=[airflow.MAY_DEPLOY])
def page(
    *,
    request: Request,
    user: GetUserDep,
    component: Text = "",
    service_name: Annotated[str, Query(alias="serviceName", max_length=250)] = "",
    environment: Text = "",
    version: Text = "",
    source: Annotated[str, Query(alias="from", max_length=250)] = "",
) -> Response:
    """The form, filled in with the manifest of the live release or of a deployment.

    :param source: id of a deployment.
    """
    asked = dict(zip(_PREFILLED, (component, service_name, version, environment), strict=True))
    found, origin = _manifest_of(source), "an earlier deployment"
    if not found and component and service_name:
        found, origin = _live_manifest(component, service_name, environment)
    begin = {key: value for key, value in found.items() if key not in _ONCE}
    begin |= {key: value for key, value in asked.items() if value}
    facts = {"origin": origin if found else "", "problems": [], "pasted": ""}
    return templates.render(request, "deploy.html", {**_form(begin, user), **facts})


@router.post("/deploy/fill", dependencies=[airflow.MAY_DEPLOY])
async def fill(request: Request, user: GetUserDep) -> Response:
    """The form, filled in with a pasted or dropped manifest."""
    text = dict(parse_qsl((await request.body()).decode(errors="replace"))).get("manifest", "")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        given, problem = None, printable.excerpt(f"This is not JSON: {error}")
    else:
        problem = "" if isinstance(given, dict) else "A manifest must be an object: { … }."
    if problem:
        facts = {"origin": "", "problems": [{"pointer": "", "detail": problem}], "pasted": text}
        return templates.render(request, "deploy_form.html", {**_form({}, user), **facts})
    _, problems = validation.check(given, environments.load())
    facts = {"origin": "the manifest", "problems": [item.dump() for item in problems], "pasted": ""}
    return templates.render(request, "deploy_form.html", {**_form(given, user), **facts})


@router.post("/deploy/check", dependencies=[airflow.MAY_SEE])
async def check(request: Request) -> Response:
    """The problems of the form, or the buttons that deploy."""
    text = (await request.body()).decode(errors="replace")
    inputs = parse_qsl(text, keep_blank_values=True, max_num_fields=_INPUTS_MAX)
    asked = page_form.manifest(inputs)
    _, problems = validation.check(asked, environments.load())
    missing = [item for item in problems if item.detail.endswith(_MISSING)]
    facts = {
        "manifest": asked,
        "problems": [item.dump() for item in problems if item not in missing],
        "missing": [item.pointer.removeprefix("/") for item in missing],
    }
    return templates.render(request, "deploy_check.html", facts)


@router.get("/deploy/versions", dependencies=[airflow.MAY_DEPLOY])
def versions(
    *,
    request: Request,
    user: GetUserDep,
    component: Text = "",
    service_name: Annotated[str, Query(alias="serviceName", max_length=250)] = "",
    environment: Text = "",
) -> Response:
    """The versions in Artifactory as suggestions; none if Artifactory does not answer."""
    found: list[dict[str, Any]] = []
    if component and service_name and environment:
        with suppress(Refused, ManifestEngineError):
            found = manifests.list_artifacts(component, service_name, environment, user)["items"]
    return templates.render(request, "versions.html", {"found": found})


@router.get("/previews/{run_id}", dependencies=[airflow.MAY_READ])
def preview(run_id: Annotated[str, Path(max_length=250)], request: Request) -> Response:
    """The result of a dry run. The page loads this part again until the dry run has ended."""
    made = deployments.read(run_id)
    asked = airflow.facts([run_id])[run_id].run.conf
    # The path of a rollback names the service.
    left_out = ("dryRun", *(("component", "serviceName") if made["action"] == "rollback" else ()))
    body = {key: value for key, value in asked.items() if key not in left_out}
    return templates.render(request, "preview.html", {"made": made, "body": body})


def _form(begin: dict[str, Any], user: Any) -> dict[str, Any]:
    allowed = manifests.list_environments(user)["environments"]
    return {
        "tab": "Deploy",
        "sections": page_form.sections(),
        "values": page_form.values(begin),
        "allowed": allowed,
    }


def _manifest_of(run_id: str) -> dict[str, Any]:
    facts = airflow.facts([run_id]).get(run_id) if run_id else None
    return deployment.manifest(facts) if facts else {}


def _live_manifest(component: str, service: str, environment: str) -> tuple[dict[str, Any], str]:
    """The manifest of the live release in the environment, or else in another environment."""
    found = catalog.read_service(component, service) or {"environments": []}
    known = {item["environment"]: item["manifest"] for item in found["environments"]}
    known = {name: dict(manifest) for name, manifest in known.items() if manifest}
    if not known:
        return {}, ""
    name = environment if environment in known else next(iter(known))
    return known[name] | {"environment": environment or name}, f"the live release in {name}"
