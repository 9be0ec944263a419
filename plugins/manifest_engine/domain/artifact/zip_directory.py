"""The central directory of an artifact: all that can be refused without unpacking.

The format is PKWARE's APPNOTE.TXT 6.3; sections are named where a rule comes from it.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from manifest_engine.domain.artifact import zip_names
from manifest_engine.domain.artifact.member_paths import refused, safe_path
from manifest_engine.domain.artifact.zip_names import Guess
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

LOCAL_HEADER = 30
"""Bytes of a local file header before name and extra field (4.3.7)."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: encrypted, strongly encrypted, masked headers (4.4.4, bits 0, 6, 13)."""
_PATCH = 0x20
"""Flag: compressed patched data (4.4.4, bit 5)."""
_ENTRY = b"PK\x01\x02"
_ENTRY_BYTES = 1024
"""Generous for one entry of the central directory; paths of 100 bytes make 200."""
_SMALL = 1 << 20
"""Members up to this size may have any ratio: a few zeros compress 1000-fold, harmlessly."""
_METHODS = {
    1: "shrink",
    6: "implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "AES encryption",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One file or folder of the ZIP."""

    name: str
    """For messages."""
    raw_name: bytes
    """As it stands in the ZIP, also in its local header."""
    path: str
    guess: Guess | None
    is_folder: bool
    executable: bool
    size: int
    packed_size: int
    deflated: bool
    crc: int
    unfit: str
    """Why it cannot be in a build context, as the rest of a sentence; empty when it can."""
    offset: int
    """Of its local header in the file."""
    end: int
    """Where the next member or the central directory begins; its data may not reach further."""


def read_directory(file: BinaryIO, limits: Limits) -> list[Member]:
    """All members in the order of the central directory.

    :param file: seekable; a few reads near its end.
    :raises ArtifactError: naming the member that is unsafe, or the limit that is exceeded.
    """
    try:
        archive = zipfile.ZipFile(_Guarded(file, limits))
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, EOFError) as error:
        raise ArtifactError(
            f"The artifact is not a readable ZIP ({error}); pack and upload it again."
        ) from error
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise _too_many(limits)
    total = sum(info.file_size for info in infos)
    if total > limits.total_mebibytes << 20:
        raise ArtifactError(
            f"The artifact unpacks to {total / (1 << 20):.0f} MiB; the environment's limit "
            f"totalMebibytes is {limits.total_mebibytes}."
        )
    ends = _ends(infos, archive.start_dir)
    return [_member(info, ends[info.header_offset], limits) for info in infos]


def _member(info: zipfile.ZipInfo, end: int, limits: Limits) -> Member:
    name, guess = zip_names.read(info)
    path = safe_path(name)
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    is_folder = name.endswith("/")
    if is_folder and info.file_size:
        raise refused(name, "is a folder with content; pack the ZIP anew")
    if not is_folder and not path:
        raise refused(name, "is a file without a name; pack the ZIP anew")
    if not is_folder and kind == stat.S_IFDIR:
        raise refused(name, "is a folder by its attributes, but its name does not end in '/'")
    if info.flag_bits & _ENCRYPTED:
        raise refused(name, "is encrypted; pack the ZIP without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise refused(name, f"is compressed by {method}; pack the ZIP with Deflate, as usual")
    if info.flag_bits & _PATCH:
        raise refused(name, "is a patch of another file; pack the ZIP with Deflate, as usual")
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if not deflated and info.compress_size != info.file_size:
        raise refused(name, "is stored, yet has two sizes; pack the ZIP anew")
    if info.file_size > max(_SMALL, limits.ratio * info.compress_size):
        raise refused(
            name,
            f"unpacks to {info.file_size} bytes from {info.compress_size}; the environment's limit "
            f"ratio is {limits.ratio}",
        )
    return Member(
        name=name,
        raw_name=zip_names.raw(info),
        path=path,
        guess=guess,
        is_folder=is_folder,
        executable=bool(mode & stat.S_IXUSR),
        size=info.file_size,
        packed_size=info.compress_size,
        deflated=deflated,
        crc=info.CRC,
        unfit=_unfit(kind),
        offset=info.header_offset,
        end=end,
    )


def _unfit(kind: int) -> str:
    if kind == stat.S_IFLNK:
        return (
            "is a symbolic link; put the file itself in its place, or the link into .dockerignore"
        )
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device, pipe or socket; leave it out"
    return ""


def _ends(infos: list[zipfile.ZipInfo], directory: int) -> dict[int, int]:
    """Where each member's room ends, by its offset; refuses members that share bytes.

    The local extra field's length is not known yet: with it, the reader checks again.
    """
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends: dict[int, int] = {}
    for place, info in enumerate(ordered):
        end = ordered[place + 1].header_offset if place + 1 < len(ordered) else directory
        name = zip_names.raw(info)
        least = info.header_offset + LOCAL_HEADER + len(name) + info.compress_size
        if info.header_offset < 0 or least > end:
            raise refused(
                info.orig_filename,
                "overlaps with another member, or reaches out of the file; pack the ZIP anew",
            )
        ends[info.header_offset] = end
    return ends


def _too_many(limits: Limits) -> ArtifactError:
    return ArtifactError(
        f"The artifact has more than {limits.members} members, the environment's limit members; "
        "leave out what the service does not need (.git, node_modules, virtual environments)."
    )


class _Guarded(io.RawIOBase):
    """The file as zipfile sees it: no endless central directory, no failure taken for bad data.

    zipfile makes objects of the whole central directory before anybody can count them.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        super().__init__()
        self._file, self._limits = file, limits

    def read(self, size: int = -1) -> bytes:
        if size > max(_SMALL, self._limits.members * _ENTRY_BYTES):
            raise _too_many(self._limits)
        try:
            data = self._file.read(size)
        except OSError as error:
            # zipfile would call the file no ZIP, which no retry mends.
            raise ArtifactError(
                f"The artifact cannot be read from the artifact store ({error.strerror}).",
                retryable=True,
            ) from error
        if data.count(_ENTRY) > self._limits.members:
            raise _too_many(self._limits)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
