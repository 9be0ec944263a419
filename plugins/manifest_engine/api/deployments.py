"""Routes of deployments: start, read, follow, cancel, approve, reject.

Rollbacks, restarts and removals count as deployments with another ``action``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api.airflow_internals import GetUserDep, SessionDep
from manifest_engine.api.followers import Followers
from manifest_engine.api.openapi import document, schemas
from manifest_engine.api.problem import Refused
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.environment.access import Requester, Verb
from manifest_engine.domain.manifest import validation
from manifest_engine.domain.record import deployment
from manifest_engine.services.environment import user_roles

router = APIRouter(prefix="/api/v1/deployments", tags=["Deployments"])
followers = Followers(airflow.facts)

_LOG_MAX = 10 * 1024 * 1024
"""Characters of a log in one answer."""
Id = Annotated[str, Path(max_length=250, description="The `id` of the deployment.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A key of the caller's choice. Repeating a request with its key starts nothing "
        "new.",
    ),
]


_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no deployment with this id, or it has no such step."}
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"description": "The deployment is in another state."}
}
KEY_USED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Started now, or before by the same request with the same key.",
        "headers": {
            "Location": {"description": "Path of the deployment.", "schema": {"type": "string"}}
        },
    },
    409: {"description": "The Idempotency-Key was used for another request."},
}
"""Answers of the routes that start a run."""


@dataclass(frozen=True)
class Caller:
    """What a route needs to start a run."""

    user: Any
    session: Any
    request: Request
    response: Response
    key: str | None


def _caller(
    request: Request, response: Response, user: GetUserDep, session: SessionDep, key: Key = None
) -> Caller:
    return Caller(user, session, request, response, key)


CallerDep = Annotated[Caller, Depends(_caller)]


@router.post(
    "",
    status_code=202,
    dependencies=[airflow.MAY_DEPLOY],
    summary="Deploy a service",
    response_model=schemas.Started,
    responses=KEY_USED,
)
def start(
    manifest: Annotated[dict[str, Any], Body(title=document.MANIFEST, description="The manifest.")],
    caller: CallerDep,
) -> dict[str, Any]:
    """Check the manifest and start its deployment. With `dryRun`, nothing is built or applied, and
    the deployment ends in the state `planned` with its `changes`."""
    _require_valid(manifest, caller.user)
    return begin(deployment.DEPLOY, manifest, caller)


def begin(dag_id: str, conf: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Start a run, or find the run that the same request has started.

    :raises Refused: 409 when the ``Idempotency-Key`` was used for another request.
    """
    run_id = _run_id(dag_id, caller.user, caller.key)
    known = airflow.start(
        dag_id,
        run_id,
        conf,
        user=caller.user,
        session=caller.session,
        request=caller.request,
    )
    if known is not None and known != conf:
        raise Refused(409, "The Idempotency-Key was used for another request; use a new key.")
    caller.response.headers["Location"] = caller.request.url_for("read", run_id=run_id).path
    return {"id": run_id, "state": "queued" if known is None else _read(run_id)["state"]}


@router.get(
    "/{run_id}",
    dependencies=[airflow.MAY_READ],
    summary="Read a deployment",
    response_model=schemas.Deployment,
    responses=_NOT_FOUND,
)
def read(run_id: Id) -> dict[str, Any]:
    """The state of the deployment and of its steps, and its result."""
    return _read(run_id)


@router.get(
    "/{run_id}/events",
    dependencies=[airflow.MAY_READ],
    summary="Follow a deployment",
    response_class=StreamingResponse,
    responses={
        **_NOT_FOUND,
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        503: {"description": "Too many clients follow deployments on this server."},
    },
)
async def events(
    run_id: Id, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> StreamingResponse:
    """Server-sent events until the end: `step` for each change of a step, and `deployment` for each
    change of the state. `Last-Event-ID` resumes."""
    from starlette.concurrency import run_in_threadpool

    await run_in_threadpool(_read, run_id)  # 404 before the stream begins
    if followers.full:
        raise Refused(503, "Too many clients follow deployments on this server; try again later.")
    return StreamingResponse(
        followers.stream(run_id, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get(
    "/{run_id}/logs/{step}",
    dependencies=[airflow.MAY_READ_LOGS],
    summary="Read a step's log",
    response_class=StreamingResponse,
    responses={**_NOT_FOUND, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def logs(run_id: Id, step: Annotated[str, Path(max_length=250)]) -> StreamingResponse:
    """The log of the step's last try as text, at most 10 MiB."""
    found = airflow.log_lines(run_id, step)
    if found is None:
        _read(run_id)
        raise Refused(404, f"{run_id} has no step of this name that has begun.")
    return StreamingResponse(log_text(found), media_type="text/plain; charset=utf-8")


@router.post(
    "/{run_id}/cancel",
    dependencies=[airflow.MAY_CANCEL],
    summary="Cancel a deployment",
    response_model=schemas.Started,
    responses=_NOT_FOUND | _CONFLICT,
)
def cancel(run_id: Id, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """End the deployment. The release that ran before keeps running."""
    made = _read(run_id)
    if made["state"] in deployment.ENDED:
        raise Refused(409, f"The deployment has ended already: it is {made['state']}.")
    require_access(user, "remove" if made["action"] == "remove" else "deploy", made["environment"])
    airflow.cancel(run_id, user, session)
    return {"id": run_id, "state": "cancelled"}


@router.post(
    "/{run_id}/approve",
    dependencies=[airflow.MAY_ANSWER],
    summary="Approve a deployment",
    response_model=schemas.Started,
    responses=_NOT_FOUND | _CONFLICT,
)
def approve(run_id: Id, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """Allow the image to run in the environment."""
    return _answer(run_id, "Approve", user, session)


@router.post(
    "/{run_id}/reject",
    dependencies=[airflow.MAY_ANSWER],
    summary="Reject a deployment",
    response_model=schemas.Started,
    responses=_NOT_FOUND | _CONFLICT,
)
def reject(run_id: Id, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """End the deployment without a change."""
    return _answer(run_id, "Reject", user, session)


def _answer(run_id: str, option: str, user: Any, session: Any) -> dict[str, Any]:
    made = _read(run_id)
    if made["state"] != "waiting for approval":
        raise Refused(409, f"The deployment does not wait for approval: it is {made['state']}.")
    airflow.answer(run_id, option, user, session)
    return {"id": run_id, "state": "running"}


def _read(run_id: str) -> dict[str, Any]:
    found = airflow.facts([run_id]).get(run_id)
    if found is None:
        raise Refused(404, "There is no deployment with this id.")
    return deployment.summary(found)


def _run_id(dag_id: str, user: Any, key: str | None) -> str:
    """The id of a new run; with a key, the same DAG, user and key give the same id."""
    if key is None:
        return f"api__{datetime.now(UTC):%Y%m%dT%H%M%S}__{secrets.token_hex(4)}"
    other = [] if dag_id == deployment.DEPLOY else [dag_id]
    of_all = json.dumps([user.get_name(), key, *other]).encode()
    return f"api__{hashlib.sha256(of_all).hexdigest()[:32]}"


def _require_valid(conf: dict[str, Any], user: Any) -> None:
    configured = environments.load()
    manifest, problems = validation.check(conf, configured)
    if manifest is not None:
        require_access(user, "deploy", manifest.environment)
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise Refused(422, f"The manifest has {count}.", errors=[item.dump() for item in problems])


def require_access(user: Any, verb: Verb, environment: str | None) -> None:
    """
    :raises NotAllowed: when the block ``access`` of the environment does not allow the user.
    """
    found = environments.load().get(environment or "")
    if environment is not None and found is not None:
        who = Requester(user.get_name(), "manual")
        access.require(who, verb, environment, found.access, user_roles.known())


def log_text(lines: Iterator[str]) -> Iterator[str]:
    """Airflow's log as text: time, level and message of each line."""
    left = _LOG_MAX
    for line in lines:
        item = json.loads(line)
        time, event = str(item.get("timestamp") or "")[:19], str(item.get("event") or "")
        text = f"{time} {item.get('level') or 'info':<7} {event}\n".lstrip()
        if event.startswith("::"):  # groups of Airflow's page
            continue
        if event == "Task exited" and isinstance(item.get("exit_code"), str):
            continue  # repeats the step's own sentence (operators/core/step.py)
        left -= len(text)
        if left < 0:
            yield "… the rest is in Airflow's log.\n"
            return
        yield text
