"""One member's bytes, unpacked in blocks, exactly as many and exactly those that were promised.

zipfile's own reader cuts a member at its declared size and says nothing; here a lie is an error.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from manifest_engine.domain.artifact.member_paths import refused
from manifest_engine.domain.artifact.zip_directory import LOCAL_HEADER, Member
from manifest_engine.domain.core.errors import ArtifactError

BLOCK = 1 << 20
_LOCAL = struct.Struct("<4s5H3I2H")
_SIGNATURE = b"PK\x03\x04"


def read_member(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield the content in blocks of at most 1 MiB.

    Errors may come after the first blocks: whoever passes these on must not use them then.

    :raises ArtifactError: naming the member, when size, checksum or structure are not as promised.
    """
    packed = _packed(file, member)
    size, crc = 0, 0
    for block in _inflated(packed, member) if member.deflated else packed:
        size += len(block)
        if size > member.size:
            raise _lie(member, f"more than the {member.size} bytes that it is said to have")
        crc = zlib.crc32(block, crc)
        yield block
    if size != member.size:
        raise _lie(member, f"{size} bytes, not the {member.size} that it is said to have")
    if crc != member.crc:
        raise _lie(member, "other content than its checksum (CRC-32) says")


def _packed(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes between the local header and the next member, as they stand in the file."""
    name = member.raw_name
    file.seek(member.offset)
    header = file.read(LOCAL_HEADER + len(name))
    if len(header) < LOCAL_HEADER or not header.startswith(_SIGNATURE):
        raise _lie(member, "no header where the directory says")
    *_, name_length, extra_length = _LOCAL.unpack_from(header)
    if name_length != len(name) or header[LOCAL_HEADER:] != name:
        raise _lie(member, "another name in its own header")
    start = member.offset + LOCAL_HEADER + name_length + extra_length
    if start + member.packed_size > member.end:
        raise _lie(member, "bytes in common with another member")
    file.seek(start)
    left = member.packed_size
    while left:
        block = file.read(min(BLOCK, left))
        if not block:
            raise _lie(member, f"{left} bytes less than the directory says")
        left -= len(block)
        yield block


def _inflated(packed: Iterator[bytes], member: Member) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for given in packed:
        if inflater.eof:
            raise _lie(member, "bytes after the end of its compressed data")
        rest = given
        while not inflater.eof:
            try:
                block = inflater.decompress(rest, BLOCK)
            except zlib.error as error:
                raise _lie(member, "broken compressed data") from error
            if block:
                yield block
            rest = inflater.unconsumed_tail
            # A full block may leave output inside, though all input is taken.
            if not rest and len(block) < BLOCK:
                break
        if inflater.unused_data:
            raise _lie(member, "bytes after the end of its compressed data")
    if not inflater.eof:
        raise _lie(member, "compressed data that break off")


def _lie(member: Member, what: str) -> ArtifactError:
    return refused(member.name, f"has {what}: the ZIP is broken; pack and upload it again")
