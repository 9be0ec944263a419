"""Docker's HTTP API by docker-py, at the address of an engine, with its TLS material in files."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

    from manifest_engine.hooks.engine.address import EngineAddress

_FIRST_ANSWER_SECONDS = 5
"""After that an engine counts as down, and the next builder is tried."""
_ANSWER_SECONDS = 60
"""For one answer, and between two events of a push."""


class EngineClient:
    """The client and a private folder; :meth:`close` takes both away."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self._resources = ExitStack()

    def close(self) -> None:
        self._resources.close()

    @cached_property
    def api(self) -> APIClient:
        """docker-py's low-level client. Raises what requests raises when no engine answers."""
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
            """Whose own authorities count: to requests, REQUESTS_CA_BUNDLE would."""

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
        """Private folder that holds the TLS material, as DOCKER_CERT_PATH."""
        made = tempfile.TemporaryDirectory(prefix="manifest-engine-tls-")
        folder = Path(self._resources.enter_context(made))
        for name, text in self.address.tls.items():
            write_private(folder / name, text)
        return folder


def write_private(path: Path, text: str) -> None:
    """Write a new file that was never readable by others."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
