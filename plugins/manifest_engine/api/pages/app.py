"""A separate app for the pages, below ``/ui`` of the API's app, whose errors are pages."""

from __future__ import annotations

import logging
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manifest_engine.api.pages import (
    audit_page,
    deploy_page,
    deployment_page,
    overview_page,
    service_page,
    services_page,
    templates,
)
from manifest_engine.api.problem import Refused
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError, NotAllowed

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_NOT_LOGGED_IN = "Invalid JWT token"
"""Detail of Airflow's 403 for an unknown cookie."""
_log = logging.getLogger(__name__)


def create() -> FastAPI:
    """The app."""
    app = FastAPI(title="Manifest Engine", openapi_url=None)
    app.add_middleware(_Headers)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.include_router(services_page.router)
    app.include_router(service_page.router)
    app.include_router(deploy_page.router)
    app.include_router(overview_page.router)
    app.include_router(audit_page.router)
    app.include_router(deployment_page.router)
    _install_errors(app)
    return app


class _Headers:
    """ASGI middleware: the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                # A browser asks again for a static file, and usually gets 304.
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, with_headers)


def _install_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    def of_airflow(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 or error.detail == _NOT_LOGGED_IN:
            return _log_in(request)
        if error.status_code == 403:
            return _page(request, 403, "Airflow does not allow you to see this page.")
        return _page(request, error.status_code, printable.excerpt(str(error.detail), 500))

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        return _page(request, error.status, error.detail)

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, _: RequestValidationError) -> Response:
        return _page(request, 422, "The address has a part that this page does not know.")

    @app.exception_handler(ManifestEngineError)
    def of_ours(request: Request, error: ManifestEngineError) -> Response:
        return _page(request, 403 if isinstance(error, NotAllowed) else 422, str(error))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        text = "An unexpected error; the log of the API server names its cause."
        return _page(request, 500, text)


def _page(request: Request, status: int, sentence: str) -> Response:
    facts = {"sentence": sentence, "phrase": HTTPStatus(status).phrase}
    name = "error_part.html" if templates.is_part(request) else "error.html"
    return templates.render(request, name, facts, status)


def _log_in(request: Request) -> Response:
    if templates.is_part(request):  # reload the whole page, which redirects to the login
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    where = f"{templates.airflow_root(request)}/api/v2/auth/login?{urlencode({'next': path})}"
    return RedirectResponse(where, 303)
