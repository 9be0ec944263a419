"""Reads an artifact: the central directory, which is checked first, and the bytes of each member.

The format is PKWARE's APPNOTE.TXT 6.3; numbers in parentheses are its sections. The reader of
:mod:`zipfile` silently cuts a member at the declared size; here a wrong size is an error.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from manifest_engine.domain.artifact import zip_names, zip_times
from manifest_engine.domain.artifact.member_paths import member_error, safe_path
from manifest_engine.domain.artifact.zip_names import Guess
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

BLOCK = 1 << 20
_LOCAL = struct.Struct("<4s5H3I2H")
"""A local file header before the name and the extra field (4.3.7)."""
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: encrypted, strongly encrypted, masked headers (4.4.4, bits 0, 6 and 13)."""
_PATCH = 0x20
"""Flag: compressed patched data (4.4.4, bit 5)."""
_ENTRY = b"PK\x01\x02"
_ENTRY_BYTES = 1024
"""Bytes of one entry of the central directory, at most; a path of 100 bytes gives about 200."""
_SMALL = 1 << 20
"""Members up to this size may have any compression ratio."""
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
    """The name for messages."""
    raw_name: bytes
    """The bytes of the name in the ZIP."""
    path: str
    guess: Guess | None
    is_folder: bool
    executable: bool
    modified: int
    """Seconds since the epoch."""
    size: int
    packed_size: int
    deflated: bool
    crc: int
    unsupported: str
    """Why a build context cannot contain the member, as the rest of a sentence; else empty."""
    offset: int
    """Position of the local header in the file."""
    end: int
    """Position of the next member or of the central directory, which the data must not pass."""


def read_directory(file: BinaryIO, limits: Limits) -> list[Member]:
    """All members in the order of the central directory.

    :param file: seekable.
    :raises ArtifactError: naming the unsafe member or the exceeded limit.
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
        raise member_error(name, "is a folder with content; pack the ZIP again")
    if not is_folder and not path:
        raise member_error(name, "is a file without a name; pack the ZIP again")
    if not is_folder and kind == stat.S_IFDIR:
        raise member_error(name, "is a folder by its attributes, but its name does not end in '/'")
    if info.flag_bits & _ENCRYPTED:
        raise member_error(name, "is encrypted; pack the ZIP without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise member_error(name, f"is compressed by {method}; pack the ZIP with Deflate, as usual")
    if info.flag_bits & _PATCH:
        raise member_error(name, "is a patch of another file; pack the ZIP with Deflate, as usual")
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if not deflated and info.compress_size != info.file_size:
        raise member_error(
            name, "is stored without compression, but has two sizes; pack the ZIP again"
        )
    if info.file_size > max(_SMALL, limits.ratio * info.compress_size):
        raise member_error(
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
        modified=zip_times.modified(info),
        size=info.file_size,
        packed_size=info.compress_size,
        deflated=deflated,
        crc=info.CRC,
        unsupported=_unsupported(kind),
        offset=info.header_offset,
        end=end,
    )


def _unsupported(kind: int) -> str:
    if kind == stat.S_IFLNK:
        return "is a symbolic link; replace it by the file itself, or list it in .dockerignore"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device, pipe or socket; leave it out"
    return ""


def _ends(infos: list[zipfile.ZipInfo], directory: int) -> dict[int, int]:
    """The end of each member by its offset. Refuses members that share bytes.

    The length of the local extra field is still unknown, so :func:`read_member` checks again.
    """
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends: dict[int, int] = {}
    for place, info in enumerate(ordered):
        end = ordered[place + 1].header_offset if place + 1 < len(ordered) else directory
        name = zip_names.raw(info)
        least = info.header_offset + _LOCAL.size + len(name) + info.compress_size
        if info.header_offset < 0 or least > end:
            raise member_error(
                info.orig_filename,
                "overlaps with another member, or reaches beyond the end of the file; "
                "pack the ZIP again",
            )
        ends[info.header_offset] = end
    return ends


def _too_many(limits: Limits) -> ArtifactError:
    return ArtifactError(
        f"The artifact has more than {limits.members} members, the environment's limit members; "
        "leave out what the service does not need (.git, node_modules, virtual environments)."
    )


class _Guarded(io.RawIOBase):
    """The file for zipfile, with a bounded central directory and retryable read errors.

    zipfile creates an object for each entry of the central directory before we can count them.
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
            # zipfile would report an invalid ZIP, although a retry can help.
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


def read_member(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield the content in blocks of at most 1 MiB.

    An error can occur after the first blocks. The caller must then discard these blocks.

    :raises ArtifactError: naming the member, when its size, checksum or structure differs from its
        entry in the central directory.
    """
    packed = _packed(file, member)
    size, crc = 0, 0
    for block in _inflated(packed, member) if member.deflated else packed:
        size += len(block)
        if size > member.size:
            raise _mismatch(member, f"more than the declared {member.size} bytes")
        crc = zlib.crc32(block, crc)
        yield block
    if size != member.size:
        raise _mismatch(member, f"{size} bytes instead of the declared {member.size}")
    if crc != member.crc:
        raise _mismatch(member, "content that does not match its checksum (CRC-32)")


def _packed(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of the member in the file, still compressed."""
    name = member.raw_name
    file.seek(member.offset)
    header = file.read(_LOCAL.size + len(name))
    if len(header) < _LOCAL.size or not header.startswith(_SIGNATURE):
        raise _mismatch(member, "no local header where the central directory points to")
    *_, name_length, extra_length = _LOCAL.unpack_from(header)
    if name_length != len(name) or header[_LOCAL.size :] != name:
        raise _mismatch(member, "another name in its local header")
    start = member.offset + _LOCAL.size + name_length + extra_length
    if start + member.packed_size > member.end:
        raise _mismatch(member, "data that overlaps with another member")
    file.seek(start)
    left = member.packed_size
    while left:
        block = file.read(min(BLOCK, left))
        if not block:
            raise _mismatch(member, f"{left} bytes less than the central directory declares")
        left -= len(block)
        yield block


def _inflated(packed: Iterator[bytes], member: Member) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for given in packed:
        if inflater.eof:
            raise _mismatch(member, "bytes after the end of its compressed data")
        rest = given
        while not inflater.eof:
            try:
                block = inflater.decompress(rest, BLOCK)
            except zlib.error as error:
                raise _mismatch(member, "invalid compressed data") from error
            if block:
                yield block
            rest = inflater.unconsumed_tail
            # After a full block, zlib may hold back output although it has read all input.
            if not rest and len(block) < BLOCK:
                break
        if inflater.unused_data:
            raise _mismatch(member, "bytes after the end of its compressed data")
    if not inflater.eof:
        raise _mismatch(member, "truncated compressed data")


def _mismatch(member: Member, what: str) -> ArtifactError:
    return member_error(member.name, f"has {what}: the ZIP is broken; pack and upload it again")
