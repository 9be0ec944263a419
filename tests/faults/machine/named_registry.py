"""The sandbox's registry under a host name, which engine, node and worker resolve."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from kubernetes import client

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import containerd, pull_secret

_ENGINE_TRUST = Path("/etc/docker/certs.d")
_NODE_TRUST = containerd.HOME / "certs.d"


class _Pipe(BaseRequestHandler):
    """Passes the bytes of one connection to the registry and back."""

    def handle(self) -> None:
        context = ssl.create_default_context(cafile=str(SETTINGS.ca))
        with (
            socket.create_connection((SETTINGS.pod_gateway, SETTINGS.registry_port)) as raw,
            context.wrap_socket(raw, server_hostname=SETTINGS.pod_gateway) as registry,
        ):
            back = threading.Thread(target=_copy, args=(registry, self.request), daemon=True)
            back.start()
            _copy(self.request, registry)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):  # wakes the other direction
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Pipe)
        self._context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), address


@contextmanager
def named_registry(name: str) -> Iterator[str]:
    """Serve on 127.0.0.1 with a certificate for the name; yields ``name:port``.

    The engine and the node trust the certificate meanwhile.
    """
    pair = pki.issue(f"registry-{name}", common_name=name, addresses=[name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = _Server(context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"{name}:{server.server_address[1]}"
    trusted = [_ENGINE_TRUST / place / "ca.crt", _NODE_TRUST / place / "hosts.toml"]
    contents = [SETTINGS.ca.read_text(), f'[host."https://{place}"]\nca = "{SETTINGS.ca}"\n']
    try:
        for file, content in zip(trusted, contents, strict=True):
            file.parent.mkdir(parents=True)
            file.write_text(content)
        yield place
    finally:
        for file in trusted:
            shutil.rmtree(file.parent, ignore_errors=True)
        server.shutdown()
        server.server_close()


def add_to_pull_secret(cluster: Any, namespace: str, place: str) -> None:
    """Let pods of the namespace pull from the registry under this name, too."""
    core = client.CoreV1Api(cluster)
    key = ".dockerconfigjson"
    secret = core.read_namespaced_secret(pull_secret.NAME, namespace)
    config = json.loads(base64.b64decode(secret.data[key]))
    config["auths"][place] = config["auths"][SETTINGS.registry]
    data = {key: base64.b64encode(json.dumps(config).encode()).decode()}
    core.patch_namespaced_secret(pull_secret.NAME, namespace, {"data": data})
