"""A stand-in for Artifactory: file info, download with ranges, deploy, delete, permissions.

Answers follow published header dumps and JFrog's documentation, read in 2026-11:
https://github.com/pypa/pip/issues/8723 (2020-08-07, Artifactory 6.18.1),
https://github.com/prefix-dev/async_http_range_reader/pull/5 (2024-02-17, 7.78.3) for downloads,
https://github.com/chef/artifactory-client/issues/131 (2020-05-29, JFrog Cloud) for redirects to S3,
https://jfrog.com/help/r/jfrog-rest-apis for the API. Artifactory's handling
of If-Range is not published. Its ETag does not conform to RFC 9110, so the stand-in sends the whole
file.

``python -m sandbox.services.artifactory.server --accounts FILE --root FOLDER [--faults]``; the
accounts file is JSON: ``repositories`` (names) and ``users``, each with ``name``, ``password``,
``token``, ``read`` and ``write`` (repository names).
"""

from __future__ import annotations

import base64
import email.utils
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from sandbox.services.artifactory.faults import Faults
from sandbox.services.artifactory.store import BadPathError, Store, Stored, mime_type
from sandbox.services.core.web import parser, serve

BASE = "/artifactory"
_MEDIA = "application/vnd.org.jfrog.artifactory.storage.{}+json"


class RefusedError(Exception):
    """Becomes Artifactory's error document."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


@dataclass(frozen=True)
class User:
    name: str
    password: str
    token: str
    read: tuple[str, ...]
    write: tuple[str, ...]


@dataclass(frozen=True)
class Accounts:
    """Users and their permissions by repository. There is no anonymous access."""

    users: tuple[User, ...]
    repositories: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Accounts:
        known = json.loads(path.read_text())
        return cls(
            tuple(
                User(u["name"], u["password"], u["token"], tuple(u["read"]), tuple(u["write"]))
                for u in known["users"]
            ),
            tuple(known["repositories"]),
        )

    def authenticate(self, header: str | None) -> User:
        kind, _, value = (header or "").partition(" ")
        if kind.lower() == "bearer":
            for user in self.users:
                if secrets.compare_digest(user.token.encode(), value.strip().encode()):
                    return user
            raise RefusedError(401, "Token failed verification: parse")
        if kind.lower() == "basic":
            try:
                name, _, word = base64.b64decode(value).decode().partition(":")
            except ValueError:
                name, word = "", ""
            for user in self.users:
                # Artifactory also accepts an access token as the password.
                for known in (user.password, user.token):
                    if user.name == name and secrets.compare_digest(known.encode(), word.encode()):
                        return user
            raise RefusedError(401, "Bad credentials")
        challenge = {"WWW-Authenticate": 'Basic realm="Artifactory Realm"'}
        raise RefusedError(401, "Authentication is required", challenge)


def make_app(store: Store, accounts: Accounts, faults: Faults | None = None) -> FastAPI:
    """The application. Only tests give ``faults``."""
    app = FastAPI(openapi_url=None)
    server = _Server(store, accounts, faults or Faults())
    if faults is not None:
        app.include_router(faults.router)
        app.add_api_route("/signed/{repo}/{path:path}", server.signed, methods=["GET"])
    app.add_exception_handler(RefusedError, _error)
    app.add_exception_handler(BadPathError, lambda *_: _document(400, "Illegal path"))
    app.add_api_route(f"{BASE}/api/system/ping", server.ping, methods=["GET"])
    app.add_api_route(f"{BASE}/api/storage/{{repo}}", server.info, methods=["GET"])
    app.add_api_route(f"{BASE}/api/storage/{{repo}}/{{path:path}}", server.info, methods=["GET"])
    files = f"{BASE}/{{repo}}/{{path:path}}"
    app.add_api_route(files, server.download, methods=["GET", "HEAD"])
    app.add_api_route(files, server.deploy, methods=["PUT"])
    app.add_api_route(files, server.delete, methods=["DELETE"])
    return app


def _error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    return _document(error.status, error.message, error.headers)


def _document(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = {"errors": [{"status": status, "message": message}]}
    return JSONResponse(body, status, dict(headers or {}))


class _Server:
    """One method for each kind of request."""

    def __init__(self, store: Store, accounts: Accounts, faults: Faults) -> None:
        self._store, self._accounts, self._faults = store, accounts, faults

    def ping(self, request: Request) -> Response:
        """Answers OK to every authenticated user."""
        self._accounts.authenticate(request.headers.get("Authorization"))
        return Response("OK", media_type="text/plain")

    def info(self, request: Request, repo: str, path: str = "") -> Response:
        self._allow(request, repo, path, write=False)
        if "list" in request.query_params:
            return self._file_list(request, repo, path)
        stored = self._store.find(repo, path)
        if stored is not None and self._faults.plan.uncached:
            raise RefusedError(404, "Unable to find item")
        if stored is not None:
            body = self._file_info(request, repo, path, stored)
            return JSONResponse(body, media_type=_MEDIA.format("FileInfo"))
        children = self._store.children(repo, path)
        if children is None and path:
            raise RefusedError(404, "Unable to find item")
        # The root of a repository exists without content.
        moment = self._store.folder_time(repo, path)
        body = {
            "repo": repo,
            "path": "/" + path.strip("/"),
            "created": moment,
            "lastModified": moment,
            "lastUpdated": moment,
            "children": [{"uri": f"/{name}", "folder": folder} for name, folder in children or ()],
            "uri": f"{_base(request)}/api/storage/{repo}/{path}".rstrip("/"),
        }
        return JSONResponse(body, media_type=_MEDIA.format("FolderInfo"))

    def _file_list(self, request: Request, repo: str, path: str) -> Response:
        """The File List API, with ``deep=1`` and without folders.

        Sources: https://jfrog.com/help/r/jfrog-rest-apis/file-list (read 2026-11), and for ``sha2``
        and the types jfrog-client-go (storageutils.go, ``FileListFile``).
        """
        expected = {"list": "", "deep": "1", "listFolders": "0"}
        if dict(request.query_params) != expected:
            raise RefusedError(400, f"The stand-in lists with {expected} alone")
        if self._store.children(repo, path) is None:
            raise RefusedError(404, "Unable to find item")
        body = {
            "uri": f"{_base(request)}/api/storage/{repo}/{path}".rstrip("/"),
            "created": self._store.folder_time(repo, path),
            "files": [
                {
                    "uri": f"/{below}",
                    "size": stored.size,
                    "lastModified": stored.created,
                    "folder": False,
                    "sha1": stored.sha1,
                    "sha2": stored.sha256,
                }
                for below, stored in self._store.below(repo, path)
            ],
        }
        return JSONResponse(body, media_type=_MEDIA.format("FileList"))

    def download(self, request: Request, repo: str, path: str) -> Response:
        self._allow(request, repo, path, write=False)
        if request.method == "GET" and (redirect := self._faults.redirect(request, repo, path)):
            return redirect
        return self._content(request, repo, path)

    def signed(self, request: Request, repo: str, path: str) -> Response:
        return self._faults.refuse_signed(request, repo, path) or self._content(request, repo, path)

    async def deploy(self, request: Request, repo: str, path: str) -> Response:
        user = self._allow(request, repo, path, write=True)
        upload = await self._store.receive(request.stream(), user.name)
        for kind, actual in upload.stored.checksums.items():
            expected = request.headers.get(f"X-Checksum-{kind}")
            if expected is not None and expected.lower() != actual:
                self._store.discard(upload)
                problem = f"received '{expected}' but actual is '{actual}'"
                raise RefusedError(409, f"Checksum error for '{repo}:{path}': {problem}")
        self._store.keep(upload, repo, path)
        body = self._file_info(request, repo, path, upload.stored)
        location = {"Location": body["downloadUri"]}
        return JSONResponse(body, 201, location, media_type=_MEDIA.format("ItemCreated"))

    def delete(self, request: Request, repo: str, path: str) -> Response:
        self._allow(request, repo, path, write=True)
        if not self._store.remove(repo, path):
            raise RefusedError(
                404, f"Could not locate artifact '{repo}:{path}' (Nothing to delete)."
            )
        return Response(status_code=204)

    def _allow(self, request: Request, repo: str, path: str, *, write: bool) -> User:
        if self._faults.unavailable():
            raise RefusedError(503, "Service Unavailable")
        if self._faults.throttled():
            raise RefusedError(429, "Too Many Requests", {"Retry-After": "1"})
        user = self._accounts.authenticate(request.headers.get("Authorization"))
        if repo not in self._accounts.repositories:
            raise RefusedError(404, f"Could not find a repository with the name '{repo}'.")
        if write and repo not in user.write:
            raise RefusedError(403, f"Not enough permissions to deploy to '{repo}:{path}'.")
        if repo not in user.read:
            raise RefusedError(403, f"Download request for '{repo}:{path}' is forbidden.")
        return user

    def _content(self, request: Request, repo: str, path: str) -> Response:
        stored = self._store.find(repo, path)
        if stored is None:
            raise RefusedError(404, "File not found.")
        headers = self._headers(path, stored)
        start, length, status = 0, stored.size, 200
        requested = None if self._faults.plan.ignore_range else _range(request, headers)
        if requested is not None:
            span = _span(requested, stored.size)
            if span is None:
                refused = {"Content-Range": f"bytes */{stored.size}"}
                raise RefusedError(416, "Requested Range Not Satisfiable", refused)
            (start, length), status = span, 206
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{stored.size}"
        headers["Content-Length"] = str(length)
        if request.method == "HEAD":
            return Response(None, status, headers, mime_type(path))
        blocks = self._faults.body(self._store.read(repo, path, start, length))
        return StreamingResponse(blocks, status, headers, mime_type(path))

    def _headers(self, path: str, stored: Stored) -> dict[str, str]:
        name = path.rpartition("/")[2]
        return {
            "X-JFrog-Version": "Artifactory/7.78.3 77803900",
            "X-Artifactory-Id": "sandbox",
            "X-Artifactory-Node-Id": "sandbox-artifactory-primary-0",
            "Last-Modified": email.utils.format_datetime(stored.moment, usegmt=True),
            "ETag": stored.sha1,  # without quotes
            "X-Checksum-Sha1": stored.sha1,
            "X-Checksum-Sha256": self._faults.sha256(stored.sha256),
            "X-Checksum-Md5": stored.md5,
            "Accept-Ranges": "bytes",
            "X-Artifactory-Filename": name,
            "Content-Disposition": f'attachment; filename="{name}"',
        }

    def _file_info(self, request: Request, repo: str, path: str, stored: Stored) -> dict[str, Any]:
        checksums = {**stored.checksums, "sha256": self._faults.sha256(stored.sha256)}
        return {
            "repo": repo,
            "path": f"/{path}",
            "created": stored.created,
            "createdBy": stored.created_by,
            "lastModified": stored.created,
            "modifiedBy": stored.created_by,
            "lastUpdated": stored.created,
            "downloadUri": f"{_base(request)}/{repo}/{path}",
            "mimeType": mime_type(path),
            "size": str(stored.size),
            "checksums": checksums,
            "originalChecksums": checksums,
            "uri": f"{_base(request)}/api/storage/{repo}/{path}",
        }


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{BASE}"


def _range(request: Request, headers: Mapping[str, str]) -> str | None:
    """The Range header, unless If-Range does not match (RFC 9110, 13.1.5)."""
    if request.headers.get("If-Range") not in (None, headers["Last-Modified"]):
        return None
    return request.headers.get("Range")


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First byte and length of a single Range (RFC 9110, 14.1.2); None if not satisfiable."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    return (start, end - start + 1) if start <= end else None


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--accounts", type=Path, required=True)
    command.add_argument("--root", type=Path, required=True)
    command.add_argument("--faults", action="store_true")
    arguments = command.parse_args()
    faults = Faults() if arguments.faults else None
    serve(make_app(Store(arguments.root), Accounts.load(arguments.accounts), faults), arguments)


if __name__ == "__main__":
    main()
