"""Helpers that make archives and read build contexts."""

import io
import tarfile
from collections.abc import Iterable

from manifest_engine.domain.artifact.archive import Archive, open_archive
from manifest_engine.domain.environment.environment import Limits

from tests.unit.domain.artifact.zip_bytes import Part, make_zip

LIMITS = Limits()
LIMITS_OFF = Limits(ratio=10_000)
SERVICE = {
    "app.py": b"print('here')\n" * 300,
    "empty": b"",
    "scripts/run.sh": b"#!/bin/sh\n",
    "src/a/b/c.py": b"c = 1\n",
    "src/a.py": b"a = 1\n",
    "src-old/a.py": b"a = 0\n",
    "data/große Datei ✓.txt": "grüße".encode(),
    "data/" + "deep/" * 30 + "long-" * 30 + "name.txt": b"far",
}


def archive(*parts: Part) -> Archive:
    return open_archive(io.BytesIO(make_zip(*parts)), LIMITS)


def parts(files: dict[str, bytes], prefix: str = "") -> list[Part]:
    return [Part(prefix + path, content) for path, content in files.items()]


def untarred(blocks: Iterable[bytes]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
        return {member.name: member for member in tar.getmembers()}


def contents(blocks: Iterable[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        return {member.name: tar.extractfile(member).read() for member in files}
