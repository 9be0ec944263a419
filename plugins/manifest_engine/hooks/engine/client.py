"""A Docker engine: where a Connection says the engine is, a client for it, and its errors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import BuildError, ConfigurationError, ManifestEngineError
from manifest_engine.hooks.core.causes import innermost
from manifest_engine.hooks.core.connections import pem

if TYPE_CHECKING:
    from docker import APIClient

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_PLAIN_PORT, _TLS_PORT = 2375, 2376
"""Registered with IANA for Docker's REST API."""
_TLS_FILES = {"tls_ca_cert": "ca.pem", "tls_client_cert": "cert.pem", "tls_client_key": "key.pem"}
"""Key of the Connection's extra, and file name under DOCKER_CERT_PATH (docker/cli)."""
_FIRST_ANSWER_SECONDS = 5
"""Limit for the first answer. A slower engine counts as down, and the next builder is tried."""
_ANSWER_SECONDS = 60
"""Time limit for an answer, and between two events of a push."""


@dataclass(frozen=True)
class EngineAddress:
    """``url`` as in DOCKER_HOST; ``tls`` holds PEM text by file name, empty without TLS."""

    url: str
    tls: Mapping[str, str]

    def variables(self, certificates: Path) -> dict[str, str]:
        """The environment variables that Docker's clients read."""
        if not self.tls:
            return {"DOCKER_HOST": self.url}
        return {
            "DOCKER_HOST": self.url,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }


def engine_address(
    conn_id: str, host: str | None, port: int | None, extra: Mapping[str, Any]
) -> EngineAddress:
    """Read a Connection's fields.

    :param host: ``unix:///path``, ``tcp://host[:port]``, ``host`` or empty for the usual socket.
    :param extra: with ``tls_ca_cert``, ``tls_client_cert`` and ``tls_client_key`` (PEM text, or
        the path of a PEM file) the connection to the engine uses TLS.
    :raises ConfigurationError: when TLS material is incomplete or unreadable.
    """
    given = {key: str(extra[key]) for key in _TLS_FILES if extra.get(key)}
    if given and len(given) < len(_TLS_FILES):
        missing = ", ".join(key for key in _TLS_FILES if key not in given)
        raise ConfigurationError(
            f"The Docker Connection {conn_id!r} has no {missing} in its extra; TLS takes "
            f"{', '.join(_TLS_FILES)}, each as PEM text or as the path of a PEM file."
        )
    tls = {_TLS_FILES[key]: pem(conn_id, key, value) for key, value in given.items()}
    return EngineAddress(_url(host or DEFAULT_SOCKET, port, bool(tls)), tls)


def _url(host: str, port: int | None, tls: bool) -> str:
    if host.startswith("unix://"):
        return host
    if host.startswith("/"):
        return f"unix://{host}"
    authority = host.removeprefix("tcp://").removeprefix("https://").removeprefix("http://")
    authority = authority.rstrip("/")
    if ":" not in authority.rpartition("]")[2]:
        authority += f":{port or (_TLS_PORT if tls else _PLAIN_PORT)}"
    return f"tcp://{authority}"


class EngineClient:
    """docker-py's client, and the private folder with its TLS files.

    :meth:`close` closes the client and deletes the folder.
    """

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self._resources = ExitStack()

    def close(self) -> None:
        self._resources.close()

    @cached_property
    def api(self) -> APIClient:
        """docker-py's low-level client.

        :raises requests.RequestException: when no engine answers.
        """
        from docker import APIClient
        from docker.tls import TLSConfig

        options: dict[str, Any] = {}
        if self.address.tls:
            options["tls"] = TLSConfig(
                client_cert=(str(self.folder / "cert.pem"), str(self.folder / "key.pem")),
                ca_cert=str(self.folder / "ca.pem"),
                verify=True,
            )

        class Client(APIClient):
            """Trusts the Connection's authorities, even where REQUESTS_CA_BUNDLE is set."""

            def merge_environment_settings(
                self, url: str, proxies: Any, stream: Any, _verify: Any, cert: Any
            ) -> Any:
                return super().merge_environment_settings(url, proxies, stream, self.verify, cert)

        client = Client(self.address.url, version="auto", timeout=_FIRST_ANSWER_SECONDS, **options)
        client.timeout = _ANSWER_SECONDS
        self._resources.callback(client.close)
        return client

    @cached_property
    def folder(self) -> Path:
        """Private folder with the TLS files, for DOCKER_CERT_PATH."""
        created = tempfile.TemporaryDirectory(prefix="manifest-engine-tls-")
        folder = Path(self._resources.enter_context(created))
        for name, text in self.address.tls.items():
            write_private(folder / name, text)
        return folder


def write_private(path: Path, text: str) -> None:
    """Create a file that only its owner can read, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@contextmanager
def explained(builder: str, url: str) -> Iterator[None]:
    """Turn every error of docker-py in the block into a BuildError.

    :param builder: id of its Connection.
    :param url: address of the engine.
    :raises BuildError: retryable, unless the engine is too old.
    """
    from docker.errors import APIError, InvalidVersion

    try:
        yield
    except ManifestEngineError:
        raise
    except InvalidVersion as error:
        raise too_old(builder, url, str(error).rstrip(".")) from error
    except Exception as error:
        reason = error.explanation if isinstance(error, APIError) else None
        raise BuildError(
            f"The builder {builder!r} at {url} does not answer as it should "
            f"({reason or innermost(error)}); start its Docker engine, or correct the Connection.",
            retryable=True,
        ) from error


def too_old(builder: str, url: str, why: str, *, release: int = 23) -> BuildError:
    """The error for an engine whose BuildKit lacks a feature that the build needs.

    :param release: first release of Docker Engine with the feature.
    """
    return BuildError(
        f"The builder {builder!r} at {url} is too old: {why}; install Docker Engine {release} or "
        "newer there."
    )
