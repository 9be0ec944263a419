"""Names for 127.0.0.1 in /etc/hosts, which the machine can forget for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOSTS = Path("/etc/hosts")
_ADDRESS = "127.0.0.1"


def _line(name: str) -> bytes:
    return f"{_ADDRESS} {name}\n".encode()


@contextmanager
def known(*names: str) -> Iterator[None]:
    """Let all programs of the machine resolve the names during a block."""
    added = b"".join(map(_line, names))
    with _HOSTS.open("ab") as file:
        file.write(added)
    try:
        yield
    finally:
        content = _HOSTS.read_bytes()
        if content.endswith(added):
            os.truncate(_HOSTS, len(content) - len(added))  # nobody can read half a file
        else:
            _HOSTS.write_bytes(content.replace(added, b""))


@contextmanager
def forgotten(name: str) -> Iterator[None]:
    """Let nobody resolve a known name during a block: its line becomes a comment."""
    _overwrite(_line(name), b"#")
    try:
        yield
    finally:
        _overwrite(b"#" + _line(name)[1:], _ADDRESS[:1].encode())


def _overwrite(line: bytes, first: bytes) -> None:
    """Replace the first byte of a line, so that other programs always read a whole file."""
    with _HOSTS.open("r+b") as file:
        file.seek(file.read().index(line))
        file.write(first)
