"""One login server before registry and token service, as ACR has it, with faults for tests.

``python -m sandbox.services.registry.front --registry URL --tokens URL --ca FILE --port P``. Tests
start an instance of their own. ``PUT /_faults`` with the JSON of :class:`Faults` switches faults.
Each answer is that of Azure Container Registry; the sources stand in the package's
``hooks/registry/errors.py``. Blobs on another host: learn.microsoft.com, container-registry-
dedicated-data-endpoints; a storage account refuses a second way to authenticate beside its signed
URL with 400 ``InvalidAuthenticationInfo`` (github.com/Azure/acr/issues/217).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from sandbox.services.core.web import parser, serve
from sandbox.services.registry.referrers import INDEX, Referrers

_FIREWALL = "client with IP '{ip}' is not allowed access. Refer https://aka.ms/acr/firewall to "
_UNAUTHORIZED = (
    "authentication required, visit https://aka.ms/acr/authorization for more information."
)
_LOCKED = (
    "The operation is disallowed on this registry, repository or image. View troubleshooting steps "
    "at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation"
)
_HOP = {"connection", "transfer-encoding", "content-encoding", "host", "content-length"}
_REALM = re.compile(r'realm="[^"]*"')
_SECONDS = 30


class Faults(BaseModel):
    """The faults that are switched on."""

    firewall: bool = False
    abac: bool = False
    """The registry has ABAC repository permissions, so AcrPull and AcrPush have no effect."""
    throttled: int = 0
    """The next requests that are answered with 429."""
    locked: bool = False
    redirect: bool = False
    """Blobs are at another host."""


class Front:
    """
    :param registry: URL of the registry.
    :param tokens: URL of the token service.
    :param ca: certificate authorities of both.
    """

    def __init__(self, registry: str, tokens: str, ca: Path) -> None:
        self.faults = Faults()
        self._registry, self._tokens, self._ca = registry, tokens, ca
        self._blobs: dict[str, bytes] = {}
        self._referrers = Referrers()

    def fault(self, request: Request) -> Response | None:
        """The answer of a fault before the request reaches the registry."""
        path, client = request.url.path, request.client
        if self.faults.firewall:
            ip = client.host if client else "?"
            return _error(403, "DENIED", _FIREWALL.format(ip=ip) + "grant access.")
        if self.faults.throttled > 0:
            self.faults.throttled -= 1
            return _error(429, "TOOMANYREQUESTS", "too many requests", {"Retry-After": "1"})
        if self.faults.locked and "/manifests/" in path and request.method in ("PUT", "DELETE"):
            return _error(405, "REGISTRY_DISALLOWED_OPERATION", _LOCKED)
        return None

    def token(self, request: Request, body: bytes) -> Response:
        """Without a role for repositories there is no token for a repository."""
        asked = f"{request.url.query}&{body.decode('utf-8', 'replace')}"
        if self.faults.abac and "repository%3A" in asked:
            return _error(401, "UNAUTHORIZED", _UNAUTHORIZED)
        return self._pass(self._tokens, request, body)

    def registry(self, request: Request, body: bytes) -> Response:
        answer = self._pass(self._registry, request, body)
        if (
            request.method == "PUT"
            and "/manifests/" in request.url.path
            and answer.status_code == 201
        ):
            repository = request.url.path.removeprefix("/v2/").partition("/manifests/")[0]
            if subject := self._referrers.note(repository, body):
                answer.headers["OCI-Subject"] = subject
        blob = "/blobs/" in request.url.path and request.method == "GET"
        if not (self.faults.redirect and blob and answer.status_code == 200):
            return answer
        digest = request.url.path.rpartition("/")[2]
        self._blobs[digest] = bytes(answer.body)
        # "localhost" is another host than the address under which the front is asked.
        there = f"http://localhost:{request.url.port}/_storage/{digest}?sig=signed"
        return Response(status_code=307, headers={"Location": there})

    def referrers(self, request: Request, repository: str, digest: str) -> Response:
        """The referrers API (distribution specification 1.1, "Listing Referrers"). The answer
        includes the index of the fallback tag, which older clients write."""
        tag = digest.replace(":", "-")
        answer = self._ask(request, f"/v2/{repository}/manifests/{tag}", {"Accept": INDEX})
        if answer.status_code == 401:
            return self._changed(request, answer)
        tagged = answer.json()["manifests"] if answer.ok else []
        kind = request.query_params.get("artifactType")
        headers = {"OCI-Filters-Applied": "artifactType"} if kind else None
        index = self._referrers.index(repository, digest, tagged, kind)
        return JSONResponse(index, headers=headers, media_type=INDEX)

    def storage(self, request: Request, digest: str) -> Response:
        if "Authorization" in request.headers or request.query_params.get("sig") != "signed":
            return Response("InvalidAuthenticationInfo", 400)
        return Response(self._blobs[digest], media_type="application/octet-stream")

    def _pass(self, upstream: str, request: Request, body: bytes) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        # The front is the login server, as in ACR.
        here, there = (quote(name, safe="") for name in (request.url.netloc, self._service))
        if upstream == self._tokens:
            query = query.replace(f"service={here}", f"service={there}")
            body = body.replace(f"service={here}".encode(), f"service={there}".encode())
        answer = requests.request(
            request.method,
            f"{upstream}{request.url.path}{query}",
            headers={key: value for key, value in request.headers.items() if key not in _HOP},
            data=body,
            verify=str(self._ca),
            timeout=_SECONDS,
            allow_redirects=False,
        )
        return self._changed(request, answer)

    def _ask(self, request: Request, path: str, headers: dict[str, str]) -> requests.Response:
        """A request of the front, with the client's login."""
        if login := request.headers.get("Authorization"):
            headers["Authorization"] = login
        url = f"{self._registry}{path}"
        return requests.get(url, headers=headers, verify=str(self._ca), timeout=_SECONDS)

    def _changed(self, request: Request, answer: requests.Response) -> Response:
        """The answer of a server behind the front, with the front's addresses."""
        here = f"{request.url.scheme}://{request.url.netloc}"
        headers = {
            key: value.replace(self._registry, here)
            for key, value in answer.headers.items()
            if key.lower() not in _HOP
        }
        if challenge := headers.get("Www-Authenticate"):
            challenge = _REALM.sub(f'realm="{here}/oauth2/token"', challenge)
            service = f'service="{request.url.netloc}"'
            headers["Www-Authenticate"] = challenge.replace(f'service="{self._service}"', service)
        return Response(answer.content, answer.status_code, headers)

    @property
    def _service(self) -> str:
        return urlsplit(self._registry).netloc


def make_app(front: Front) -> FastAPI:
    app = FastAPI(openapi_url=None)
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

    @app.put("/_faults")
    def switch(faults: Faults) -> dict[str, Any]:
        front.faults = faults
        return faults.model_dump()

    @app.get("/_storage/{digest}")
    def storage(request: Request, digest: str) -> Response:
        return front.storage(request, digest)

    @app.api_route("/oauth2/{path}", methods=every)
    async def tokens(request: Request, path: str) -> Response:
        body = await request.body()
        return front.fault(request) or front.token(request, body)

    @app.get("/v2/{repository:path}/referrers/{digest}")
    def referrers(request: Request, repository: str, digest: str) -> Response:
        return front.fault(request) or front.referrers(request, repository, digest)

    @app.api_route("/v2/{path:path}", methods=every)
    async def registry(request: Request, path: str) -> Response:
        body = await request.body()
        return front.fault(request) or front.registry(request, body)

    return app


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {"errors": [{"code": code, "message": message, "detail": None}]}
    return JSONResponse(body, status, headers)


def _url(text: str) -> str:
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc}"


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--registry", type=_url, required=True)
    command.add_argument("--tokens", type=_url, required=True)
    command.add_argument("--ca", type=Path, required=True)
    arguments = command.parse_args()
    serve(make_app(Front(arguments.registry, arguments.tokens, arguments.ca)), arguments)


if __name__ == "__main__":
    main()
