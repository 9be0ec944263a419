"""Package indexes for tests, optionally behind TLS or an HTTP proxy."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.services.index import wheel
from tests.integration.servers import free_port, serving

HOST = SETTINGS.pod_gateway
"""The address at which builds reach this machine."""


def package(folder: Path, name: str, version: str, origin: str, *requires: str) -> None:
    """Put a wheel into an index's folder. ``ORIGIN`` in its module names the index."""
    module = folder / "source" / name.replace("-", "_")
    module.mkdir(parents=True, exist_ok=True)
    (module / "__init__.py").write_text(f"ORIGIN = {origin!r}\n")
    wheel.build(module, name, version, folder, requires=requires)


@contextmanager
def index(folder: Path, *, login: tuple[str, str] | None, proxies_public: bool) -> Iterator[str]:
    """Run pypiserver with the wheels in ``folder``; yields the index URL.

    :param login: user and password that the server requires.
    :param proxies_public: redirect requests for all other packages to the public index.
    """
    port = free_port(HOST)
    words = [sys.executable, "-m", "pypiserver", "run", "--interface", HOST, "--port", str(port)]
    if not proxies_public:
        words.append("--disable-fallback")
    if login:
        digest = base64.b64encode(hashlib.sha1(login[1].encode()).digest()).decode()
        (folder / "htpasswd").write_text(f"{login[0]}:{{SHA}}{digest}\n")
        words += ["--authenticate", "download,list,update", "--passwords", f"{folder}/htpasswd"]
    with (folder / "log").open("wb") as log, serving([*words, str(folder)], HOST, port, log):
        yield f"http://{HOST}:{port}/simple/"


@dataclass
class Gate:
    """The port and the counts of a proxy."""

    port: int = 0
    tunnels: list[str] = field(default_factory=list)
    """``host:port`` of each connection that the proxy made."""
    refused: int = 0


@contextmanager
def tls_before(url: str) -> Iterator[str]:
    """Serve the index over HTTPS, with a certificate of the sandbox's authority."""
    port = int(url.split(":")[2].partition("/")[0])
    pair = pki.issue("test-index", common_name="test-index", addresses=[HOST])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, *await asyncio.open_connection(HOST, port))

    with _running(serve, context) as own_port:
        yield f"https://{HOST}:{own_port}/simple/"


@contextmanager
def proxy(login: tuple[str, str]) -> Iterator[Gate]:
    """An HTTPS proxy that requires a login."""
    gate = Gate()
    word = base64.b64encode(":".join(login).encode()).decode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if f"proxy-authorization: basic {word}".lower() not in head.lower():
            gate.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        target = head.split()[1]
        gate.tunnels.append(target)
        host, _, port = target.rpartition(":")
        up = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(reader, writer, *up)

    with _running(serve, None) as gate.port:
        yield gate


@contextmanager
def _running(serve: object, context: ssl.SSLContext | None) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    starting = asyncio.start_server(serve, HOST, 0, ssl=context)  # type: ignore[arg-type]
    server = loop.run_until_complete(starting)
    threading.Thread(target=loop.run_forever, daemon=True).start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while block := await source.read(1 << 16):
                target.write(block)
                await target.drain()
        except OSError:
            pass
        target.close()

    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
