"""The build context: a tar stream that depends on names, contents and executable bits alone.

Order, owners, modes and times are normalised. The same files give the same bytes and the same
image, regardless of the tool and the time that packed the ZIP.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SOURCE_DATE_EPOCH = 315_532_800
"""1980-01-01T00:00:00Z, the time of all files and of the image: the earliest time that a ZIP, such
as a wheel, can store (https://reproducible-builds.org/specs/source-date-epoch/)."""

_BLOCK = tarfile.BLOCKSIZE
_BATCH = 1 << 20
_FOLDER_MODE = 0o755
_FILE_MODE = 0o644
_EXECUTABLE_MODE = 0o755


@dataclass(frozen=True, slots=True)
class ContextFile:
    """One file of the context; ``blocks`` must yield exactly ``size`` bytes."""

    path: str
    size: int
    executable: bool
    blocks: Iterable[bytes]


def tar_stream(folders: Iterable[str], files: Iterable[ContextFile]) -> Iterator[bytes]:
    """Yield the tar in blocks of about 1 MiB: first all folders, then all files, each sorted.

    The format is PAX (POSIX.1-2001): names in UTF-8, of any length, and files of any size. buildx
    and BuildKit recognise a tar by its first 512 bytes, but do not recognise an extended header
    there. If the first name needs an extended header, the root folder comes before it.
    """
    return _batched(_tar(folders, files))


def _tar(folders: Iterable[str], files: Iterable[ContextFile]) -> Iterator[bytes]:
    ordered = sorted(files, key=lambda item: item.path)
    names = [folder + "/" for folder in sorted(folders)]
    first = names[0] if names else ordered[0].path if ordered else ""
    if not first.isascii() or len(first) > tarfile.LENGTH_NAME:
        names.insert(0, "./")
    for name in names:
        yield _header(name, tarfile.DIRTYPE, _FOLDER_MODE, 0)
    for file in ordered:
        mode = _EXECUTABLE_MODE if file.executable else _FILE_MODE
        yield _header(file.path, tarfile.REGTYPE, mode, file.size)
        yield from file.blocks
        yield bytes(-file.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def _header(name: str, kind: bytes, mode: int, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, size, SOURCE_DATE_EPOCH
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _batched(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger blocks, so that small files do not need a system call each."""
    waiting = bytearray()
    for block in blocks:
        waiting += block
        if len(waiting) >= _BATCH:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
