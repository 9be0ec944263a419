"""The route for Artifactory's webhook: verifies the signature and starts ``deploy_announced``.

The DAG reads the ZIP, so the API server calls no outside system.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyHeader

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api.airflow_internals import SessionDep
from manifest_engine.api.problem import Refused
from manifest_engine.domain.artifact import announced
from manifest_engine.domain.environment import environments

router = APIRouter(prefix="/api/v1/webhooks", tags=["Webhooks"])
DAG_ID = "deploy_announced"
_FRESH_SECONDS = 30.0
"""How long a secret is cached, because a secrets backend can be slow."""
_SIGNATURE = APIKeyHeader(
    name="X-JFrog-Event-Auth",
    scheme_name="ArtifactorySignature",
    description="HMAC-SHA256 of the body, in hexadecimal.",
    auto_error=False,
)
_SIGNATURE_MAX = 200


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post("/artifactory", status_code=202, summary="Deploy a ZIP after Artifactory's webhook")
def artifactory(
    body: Annotated[bytes, Depends(_body)],
    session: SessionDep,
    signature: Annotated[str | None, Depends(_SIGNATURE)],
) -> dict[str, Any]:
    """Receive Artifactory's webhook for the event *Artifact was deployed*, with *Use secret for
    payload signing*. `started` lists the started runs. It is empty for other events, for paths that
    no environment accepts, and for a ZIP that has already started a run."""
    given = (signature or "")[:_SIGNATURE_MAX]
    signed = [
        (name, block)
        for name, environment in environments.load().items()
        if (block := environment.webhook)
        and announced.is_signed(body, _secret(block.connection, _period()), given)
    ]
    if not signed:
        raise Refused(401, "The signature in X-JFrog-Event-Auth matches no environment's secret.")
    started = []
    for name, block in signed:
        found = announced.read(body, name)
        if (
            found
            and block.takes(found.artifact)
            and airflow.announce(DAG_ID, found.run_id, found.dump(), announced.USER, session)
        ):
            started.append({"environment": name, "artifact": found.artifact, "run": found.run_id})
    return {"started": started}


def _period() -> int:
    return int(time.monotonic() / _FRESH_SECONDS)


@lru_cache(maxsize=64)
def _secret(conn_id: str, _period: int) -> str:
    return airflow.password(conn_id)
