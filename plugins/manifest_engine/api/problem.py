"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError, NotAllowed

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that the API refuses.

    :param status: HTTP status.
    :param detail: what was found and what to do.
    :param more: further members of the problem, such as ``errors``.
    """

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def answer(status: int, detail: str, **more: Any) -> JSONResponse:
    """A problem as an HTTP answer."""
    phrase = HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem, and never with internal text."""

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        made = answer(error.status, error.detail, **error.more)
        if error.status == HTTPStatus.TOO_MANY_REQUESTS:
            made.headers["Retry-After"] = "60"
        return made

    @app.exception_handler(HTTPException)
    def of_airflow(request: Request, error: HTTPException) -> JSONResponse:
        made = answer(error.status_code, printable.excerpt(str(error.detail), 500))
        made.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            made.headers["Allow"] = ", ".join(sorted(_methods(request)))
        return made

    @app.exception_handler(RequestValidationError)
    def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        return answer(422, printable.excerpt(f"{where}: {first['msg']}", 500))

    @app.exception_handler(ManifestEngineError)
    def of_ours(_: Request, error: ManifestEngineError) -> JSONResponse:
        return answer(403 if isinstance(error, NotAllowed) else 422, str(error))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(500, "An unexpected error; the log of the API server names its cause.")


def _methods(request: Request) -> set[str]:
    """The methods of all routes with this path; Starlette names only those of the first route."""
    routes = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    return {method for route in routes for method in route.methods or ()}
