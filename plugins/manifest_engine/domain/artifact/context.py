"""The build context: a tar stream of names, contents, executable bits and times of the files.

Order, owners and modes are normalised, so the same files give the same bytes, regardless of the
tool that packed the ZIP. A file keeps the time that the ZIP records, from which web servers make
ETag and Last-Modified. BuildKit's cache ignores times: a step whose files are unchanged keeps the
files with the times of an earlier ZIP.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manifest_engine.domain.artifact import zip_times

SOURCE_DATE_EPOCH = zip_times.EARLIEST
"""The time of folders, of files that are not from the ZIP, and of the image
(https://reproducible-builds.org/specs/source-date-epoch/)."""

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
    modified: int = SOURCE_DATE_EPOCH
    """Seconds since the epoch."""


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
        yield _header(name, tarfile.DIRTYPE, _FOLDER_MODE, 0, SOURCE_DATE_EPOCH)
    for file in ordered:
        mode = _EXECUTABLE_MODE if file.executable else _FILE_MODE
        yield _header(file.path, tarfile.REGTYPE, mode, file.size, file.modified)
        yield from file.blocks
        yield bytes(-file.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def _header(name: str, kind: bytes, mode: int, size: int, modified: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, size, modified
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
