"""More Entra ID stand-ins: for the sandbox's tenant with other settings, and for another tenant."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.core import credentials, pki
from sandbox.core.settings import SETTINGS
from sandbox.services.azure import entra
from tests.integration.servers import free_port, serving


@dataclass(frozen=True)
class Directory:
    """A running stand-in for Entra ID."""

    authority: str
    known: dict[str, Any]


@contextlib.contextmanager
def directory(known: dict[str, Any]) -> Iterator[Directory]:
    """Start a stand-in for the tenant ``known``."""
    host = SETTINGS.pod_gateway
    port = free_port(host)
    pair = pki.issue("entra", common_name=host, addresses=[host])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(known, file)
        file.flush()
        words = [sys.executable, "-m", "sandbox.services.azure.entra_server"]
        words += ["--identity", file.name, "--host", host, "--port", str(port)]
        words += ["--certificate", str(pair.certificate), "--key", str(pair.key)]
        with serving(words, host, port):
            yield Directory(f"https://{host}:{port}", known)


def of_the_sandbox(**changes: Any) -> contextlib.AbstractContextManager[Directory]:
    return directory({**entra.identity(), **changes})


def foreign_tenant() -> contextlib.AbstractContextManager[Directory]:
    return directory(entra._make_identity())


@contextlib.contextmanager
def metadata_service(*, system: str, user: str) -> Iterator[str]:
    """Start IMDS for a machine with these identities (client ids); yields its URL."""
    port = free_port()
    words = [sys.executable, "-m", "sandbox.services.azure.imds_server"]
    words += ["--identity", str(credentials.path("entra")), "--port", str(port)]
    with serving([*words, "--system", system, "--user", user], "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"
