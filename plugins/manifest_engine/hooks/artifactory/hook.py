"""Artifactory: what is known of a file, and its bytes, verified."""

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
from manifest_engine.hooks.artifactory.errors import ArtifactMissing, Sentences, os_error
from manifest_engine.hooks.artifactory.http import Anonymous, Bearer, Client
from manifest_engine.hooks.core import connections, http_answers

_SHA256 = re.compile("[0-9a-fA-F]{64}")
_PORT = re.compile(r":\d+$")
_TIMEOUT = 60.0
"""Seconds without a byte; Artifactory may need some to fetch a remote repository's file."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArtifactInfo:
    """What Artifactory says of a file."""

    size: int
    """Bytes."""
    sha256: str
    """64 lower-case hexadecimal digits."""
    uri: str
    """Where it is downloaded from, without credentials."""


class ArtifactoryHook(BaseHook):
    """Reads files of JFrog Artifactory.

    The connection (type ``artifactory``): ``host`` is the base URL, e.g.
    ``https://example.jfrog.io/artifactory`` (or a host name, with ``schema`` and ``port``);
    ``password`` an access token, or with ``login`` a user's password or token. Extra: ``verify``
    (``false``, or the path of a CA bundle, which must then cover storage that Artifactory redirects
    to), ``timeout`` (seconds without a byte, default 60).

    :param artifactory_conn_id: id of the Airflow Connection.
    """

    conn_name_attr = "artifactory_conn_id"
    default_conn_name = "artifactory_default"
    conn_type = "artifactory"
    hook_name = "Artifactory"

    def __init__(self, artifactory_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.artifactory_conn_id = artifactory_conn_id

    @cached_property
    def client(self) -> Client:
        """The HTTP client that the connection describes.

        :raises ConfigurationError: when the connection is not there, or incomplete.
        """
        with connections.required(self.artifactory_conn_id, "artifactory"):
            connection = self.get_connection(self.artifactory_conn_id)
        extra = connection.extra_dejson
        try:
            timeout = float(extra.get("timeout") or _TIMEOUT)
        except ValueError:
            raise self._misconfigured("has a timeout that is no number of seconds") from None
        return Client(
            Sentences(self._base_url(connection), self.artifactory_conn_id),
            auth=_auth(connection.login, connection.password),
            verify=_verify(extra.get("verify")),
            timeout=timeout,
            log=self.log,
        )

    @property
    def _base(self) -> str:
        return self.client.errors.base

    def get_conn(self) -> requests.Session:
        """The session; it holds no credentials, these go with each request."""
        return self.client.session

    def file_info(self, path: str) -> ArtifactInfo:
        """Size and checksum of ``repo/path/file.zip``.

        The API knows local, cached and virtual repositories
        (https://jfrog.com/help/r/jfrog-rest-apis/get-folder-info, read 2026-11), so nothing of a
        remote one's file before somebody downloads it. Such a file is first downloaded into
        Artifactory's cache.

        :raises ArtifactError: when there is no such file, or it may not be read.
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
        """:param known: where Artifactory has it, which is its cache for a remote repository."""
        uri = f"{self._base}/{quote(path)}"
        with self.client.get(f"{self._base}/api/storage/{quote(known)}") as response:
            try:
                said: Any = response.json()
            except requests.JSONDecodeError:
                # A server that JFrog Cloud has put to sleep redirects to a page that wakes it
                # (https://github.com/apache/arrow/issues/40746, 2024-03-22).
                found = urlsplit(response.url).netloc
                led = (
                    "" if found == urlsplit(self._base).netloc else f", which redirects to {found}"
                )
                raise self._misconfigured(
                    f"leads to something that is not Artifactory's API ({self._base}{led}): host "
                    "must be the base URL, which usually ends in /artifactory"
                ) from None
        if isinstance(said, dict) and "children" in said:
            raise ArtifactError(f"{uri} is a folder; name the ZIP in it as artifact.")
        try:
            size, sha256 = int(said["size"]), said["checksums"].get("sha256")
        except (KeyError, ValueError, AttributeError, TypeError):
            raise ArtifactError(
                f"Artifactory's file info of {uri} has no size and checksums; look at "
                f"{self._base}/api/storage/{quote(path)}."
            ) from None
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            # Artifactory before 5.5 computed none; files from then have none until migrated.
            raise ArtifactError(
                f"Artifactory has no sha256 of {uri}; upload it again, or let Artifactory compute "
                "it (POST api/checksum/sha256)."
            )
        return ArtifactInfo(size, sha256.lower(), uri)

    def download(self, info: ArtifactInfo) -> Iterator[bytes]:
        """The file's bytes in order; an error at the end means that they are not to be used.

        A cut connection is resumed, where the server can; size and sha256 are compared with file
        info and with the download's own header.

        :param info: what :meth:`file_info` has told.
        :raises ArtifactError: when the bytes cannot be had, or are not those that were announced.
        """
        return iter(Download(self.client, info.uri, info.size, info.sha256))

    def test_connection(self) -> tuple[bool, str]:
        """Ask whether Artifactory is there and takes the credentials, for Airflow's Test button."""
        try:
            with self.client.get(f"{self._base}/api/system/ping") as response:
                http_answers.read_refusal(response)
                said = printable.excerpt(response.content, 100)
                return response.ok, f"Artifactory answers {said!r}"
        except (ArtifactError, ConfigurationError) as error:
            return False, str(error)

    def _base_url(self, connection: Any) -> str:
        host = (connection.host or "").strip().rstrip("/")
        # By URI (artifactory://:token@host:8081/artifactory) the path arrives as schema.
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
    return Bearer(password) if password else Anonymous()


def _verify(given: Any) -> bool | str:
    """``verify`` as JSON or as the text of a form field."""
    if given is None or given == "":
        return True
    words = {"true": True, "false": False}
    return given if isinstance(given, bool) else words.get(str(given).lower(), str(given))
