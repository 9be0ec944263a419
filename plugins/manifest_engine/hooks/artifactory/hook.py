"""Artifactory: size and checksum of a file, and its verified download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from airflow.sdk import BaseHook
from requests.auth import AuthBase, HTTPBasicAuth

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ArtifactError, ConfigurationError
from manifest_engine.hooks.artifactory.download import Download
from manifest_engine.hooks.artifactory.errors import ArtifactMissing, ErrorSentences, os_error
from manifest_engine.hooks.artifactory.http import ATTEMPTS, Bearer, Client
from manifest_engine.hooks.core import connections, http_answers

_SHA256 = re.compile("[0-9a-fA-F]{64}")
_PORT = re.compile(r":\d+$")
_TIMEOUT = 60.0
"""Seconds without a byte; Artifactory can need this time to fetch a remote repository's file."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArtifactInfo:
    """Artifactory's information on a file."""

    size: int
    """Bytes."""
    sha256: str
    """64 lower-case hexadecimal digits."""
    uri: str
    """URL of the download, without credentials."""


class ArtifactoryHook(BaseHook):
    """Reads files of JFrog Artifactory.

    Fields of the Connection (type ``artifactory``): ``host`` is the base URL, such as
    ``https://example.jfrog.io/artifactory`` (or a host name, with ``schema`` and ``port``).
    ``password`` is an access token, or with ``login`` the password or token of a user. Fields of
    the extra: ``verify`` is ``false`` or the path of a CA bundle, which must also cover the storage
    that Artifactory redirects to; ``timeout`` is the time without a byte in seconds (default 60).

    :param artifactory_conn_id: id of the Airflow Connection.
    :param attempts: number of attempts per request.
    """

    conn_name_attr = "artifactory_conn_id"
    default_conn_name = "artifactory_default"
    conn_type = "artifactory"
    hook_name = "Artifactory"

    def __init__(
        self, artifactory_conn_id: str = default_conn_name, *, attempts: int = ATTEMPTS
    ) -> None:
        super().__init__()
        self.artifactory_conn_id = artifactory_conn_id
        self._attempts = attempts

    @cached_property
    def client(self) -> Client:
        """The HTTP client for the Connection.

        :raises ConfigurationError: when the Connection does not exist or is incomplete.
        """
        with connections.required(self.artifactory_conn_id, "artifactory"):
            connection = self.get_connection(self.artifactory_conn_id)
        extra = connection.extra_dejson
        try:
            timeout = float(extra.get("timeout") or _TIMEOUT)
        except ValueError:
            raise self._misconfigured("has a timeout that is no number of seconds") from None
        return Client(
            ErrorSentences(self._base_url(connection), self.artifactory_conn_id),
            auth=_auth(connection.login, connection.password),
            verify=_verify(extra.get("verify")),
            timeout=timeout,
            log=self.log,
            attempts=self._attempts,
        )

    @property
    def _base(self) -> str:
        return self.client.errors.base

    def get_conn(self) -> requests.Session:
        """The session, without credentials: :class:`Client` adds them to each request."""
        return self.client.session

    def file_info(self, path: str) -> ArtifactInfo:
        """Size and checksum of ``repo/path/file.zip``.

        The API covers local, cached and virtual repositories
        (https://jfrog.com/help/r/jfrog-rest-apis/get-folder-info, read 2026-11), but not a remote
        repository's file before its first download. Such a file is first downloaded into
        Artifactory's cache.

        :raises ArtifactError: when the file does not exist, or the Connection may not read it.
        """
        try:
            return self._file_info(path, path)
        except ArtifactMissing:
            self._fetch_into_cache(path)
        repository, _, rest = path.partition("/")
        for known in (path, f"{repository}-cache/{rest}"):
            try:
                return self._file_info(known, path)
            except ArtifactMissing:
                continue
        raise ArtifactError(
            f"Artifactory serves {self._base}/{quote(path)} and keeps no checksum of it; let its "
            "remote repository store artifacts locally."
        )

    def _fetch_into_cache(self, path: str) -> None:
        with self.client.get(f"{self._base}/{quote(path)}") as response:
            self.log.info("%s is not in Artifactory's cache; fetching it there", path)
            try:
                for _ in response.iter_content(_BLOCK):
                    pass
            except requests.RequestException as error:
                raise self.client.errors.unreachable(error) from os_error(error)

    def _file_info(self, known: str, path: str) -> ArtifactInfo:
        """:param known: path at Artifactory; for a remote repository, the path in its cache."""
        uri = f"{self._base}/{quote(path)}"
        with self.client.get(f"{self._base}/api/storage/{quote(known)}") as response:
            try:
                info: Any = response.json()
            except requests.JSONDecodeError:
                # A sleeping server of JFrog Cloud redirects to a page that wakes it up
                # (https://github.com/apache/arrow/issues/40746, 2024-03-22).
                target = urlsplit(response.url).netloc
                redirect = (
                    ""
                    if target == urlsplit(self._base).netloc
                    else f", which redirects to {target}"
                )
                raise self._misconfigured(
                    f"leads to something that is not Artifactory's API ({self._base}{redirect}): "
                    "host must be the base URL, which usually ends in /artifactory"
                ) from None
        if isinstance(info, dict) and "children" in info:
            raise ArtifactError(f"{uri} is a folder; name the ZIP in it as artifact.")
        try:
            size, sha256 = int(info["size"]), info["checksums"].get("sha256")
        except (KeyError, ValueError, AttributeError, TypeError):
            raise ArtifactError(
                f"Artifactory's file info of {uri} has no size and checksums; look at "
                f"{self._base}/api/storage/{quote(path)}."
            ) from None
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            # Artifactory before 5.5 computed no sha256, so old files have none before a migration.
            raise ArtifactError(
                f"Artifactory has no sha256 of {uri}; upload it again, or let Artifactory compute "
                "it (POST api/checksum/sha256)."
            )
        return ArtifactInfo(size, sha256.lower(), uri)

    def require_repository(self, name: str) -> None:
        """Check that the Connection may read a repository.

        :raises ArtifactError: when the repository does not exist or may not be read.
        """
        try:
            with self.client.get(f"{self._base}/api/storage/{quote(name)}") as response:
                http_answers.read_refusal(response)  # the beginning of a list of its folders
        except ArtifactMissing:
            raise ArtifactError(
                f"{self._base} has no repository {name!r}, or the Airflow Connection "
                f"{self.artifactory_conn_id!r} may not read it: correct artifactory in "
                "environments.yaml, or give its user the permission Read on the repository."
            ) from None

    def download(self, info: ArtifactInfo) -> Iterator[bytes]:
        """Yield the file's bytes; after an error, also one at the end, discard all of them.

        A broken connection is resumed if the server supports ranges. Size and sha256 are compared
        with file info and with the download's header.

        :param info: result of :meth:`file_info`.
        :raises ArtifactError: when the download fails, or the file differs from ``info``.
        """
        return iter(Download(self.client, info.uri, info.size, info.sha256))

    def test_connection(self) -> tuple[bool, str]:
        """Runs when the user clicks "Test" in the Connection's form."""
        try:
            with self.client.get(f"{self._base}/api/system/ping") as response:
                http_answers.read_refusal(response)
                answer = printable.excerpt(response.content, 100)
                return response.ok, f"Artifactory answers {answer!r}"
        except (ArtifactError, ConfigurationError) as error:
            return False, str(error)

    def _base_url(self, connection: Any) -> str:
        host = (connection.host or "").strip().rstrip("/")
        # In a URI (artifactory://:token@host:8081/artifactory) Airflow stores the path as schema.
        schema = (connection.schema or "").strip("/")
        scheme, path = (schema, "") if schema in ("http", "https") else ("https", schema)
        parts = urlsplit(host if "://" in host else f"{scheme}://{host}")
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise self._misconfigured("needs a host: the base URL of Artifactory")
        if "@" in parts.netloc or parts.query:
            raise self._misconfigured("has credentials in host; put them into login and password")
        port = f":{connection.port}" if connection.port and not _has_port(parts.netloc) else ""
        return "/".join(
            part
            for part in (f"{parts.scheme}://{parts.netloc}{port}", parts.path.strip("/"), path)
            if part
        )

    def _misconfigured(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"The Airflow Connection {self.artifactory_conn_id!r} {what}.")


def _has_port(netloc: str) -> bool:
    return _PORT.search(netloc) is not None


def _auth(login: str | None, password: str | None) -> AuthBase:
    if login:
        return HTTPBasicAuth(login.encode(), (password or "").encode())
    return Bearer(password) if password else http_answers.Anonymous()


def _verify(given: Any) -> bool | str:
    """Read ``verify`` from JSON or from the text of a form field."""
    if given is None or given == "":
        return True
    words = {"true": True, "false": False}
    return given if isinstance(given, bool) else words.get(str(given).lower(), str(given))
