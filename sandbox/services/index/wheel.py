"""Writes a wheel of a pure Python package (PEP 427).

A build backend would need seconds and network access to write the same four small files.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

_SAME_EACH_TIME = (1980, 1, 1, 0, 0, 0)


def build(
    source: Path, name: str, version: str, target: Path, *, requires: Iterable[str] = ()
) -> Path:
    """Write the wheel of the package folder ``source`` to the folder ``target``.

    :param requires: requirements of the distribution.
    """
    required = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    stem = f"{name.replace('-', '_')}-{version}"
    members = {
        f"{source.name}/{file.relative_to(source)}": file.read_bytes()
        for file in sorted(source.rglob("*.py"))
    }
    members[f"{stem}.dist-info/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n"
        f"{required}"
    ).encode()
    members[f"{stem}.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: manifest-engine\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in members.items()]
    members[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    wheel = target / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for path, data in members.items():
            file.writestr(zipfile.ZipInfo(path, _SAME_EACH_TIME), data)
    return wheel


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
