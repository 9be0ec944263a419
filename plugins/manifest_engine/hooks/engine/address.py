"""Where the engine of a Docker Connection is, and how to speak TLS with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifest_engine.domain.core.errors import ConfigurationError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_PLAIN_PORT, _TLS_PORT = 2375, 2376
"""Registered with IANA for Docker's REST API."""
_TLS_FILES = {"tls_ca_cert": "ca.pem", "tls_client_cert": "cert.pem", "tls_client_key": "key.pem"}
"""Key of the Connection's extra, and the name under DOCKER_CERT_PATH (docker/cli)."""


@dataclass(frozen=True)
class EngineAddress:
    """``url`` as in DOCKER_HOST; ``tls`` holds PEM text by file name, empty without TLS."""

    url: str
    tls: Mapping[str, str]

    def variables(self, certificates: Path) -> dict[str, str]:
        """What docker's clients read from their environment."""
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
        the path of a PEM file) the engine is spoken to by TLS.
    :raises ConfigurationError: when TLS material is incomplete or unreadable.
    """
    given = {key: str(extra[key]) for key in _TLS_FILES if extra.get(key)}
    if given and len(given) < len(_TLS_FILES):
        missing = ", ".join(key for key in _TLS_FILES if key not in given)
        raise ConfigurationError(
            f"The Docker Connection {conn_id!r} has no {missing} in its extra; TLS takes "
            f"{', '.join(_TLS_FILES)}, each as PEM text or as the path of a PEM file."
        )
    tls = {_TLS_FILES[key]: _pem(conn_id, key, value) for key, value in given.items()}
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


def _pem(conn_id: str, key: str, value: str) -> str:
    if "-----BEGIN" in value:
        return value
    try:
        return Path(value).read_text()
    except OSError as error:
        raise ConfigurationError(
            f"{key} in the extra of the Docker Connection {conn_id!r} is neither PEM text nor a "
            f"file that can be read ({error.strerror})."
        ) from None
