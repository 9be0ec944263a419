"""Makes the ZIP of a sample service, as a build server would deploy to Artifactory."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_EPOCH = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the earliest time in a ZIP; a fixed time makes the ZIP reproducible


def zip_folder(folder: Path, changes: dict[str, bytes] | None = None) -> bytes:
    """The files of the folder as a ZIP. ``changes`` replaces or adds members by path."""
    members = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | (changes or {})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()
