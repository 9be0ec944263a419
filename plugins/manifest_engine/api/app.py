"""The API as a FastAPI app, which Airflow's API server mounts below ``/manifest-engine``."""

from __future__ import annotations

from fastapi import FastAPI

from manifest_engine import __version__
from manifest_engine.api import deployments, guard, manifests, problem, services, webhooks
from manifest_engine.api.openapi import document
from manifest_engine.api.pages import app as pages
from manifest_engine.api.pages.templates import MOUNT

DESCRIPTION = """
Deploy services and follow them. Log in at `POST /auth/token` of Airflow and send the token as
`Authorization: Bearer …`. Airflow's permissions on the DAG `deploy_service` apply, and the block
`access` of each environment. Errors are problem details (RFC 9457).
"""


def create() -> FastAPI:
    """The app."""
    app = FastAPI(
        title="Manifest Engine",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from a public CDN
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    problem.install(app)
    app.add_middleware(guard.Guard)
    app.include_router(deployments.router)
    app.include_router(services.router)
    app.include_router(manifests.router)
    app.include_router(webhooks.router)
    document.install(app)
    app.mount(MOUNT, pages.create())
    return app
