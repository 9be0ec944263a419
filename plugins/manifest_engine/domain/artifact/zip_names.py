"""Decodes the names of a ZIP's members and converts backslashes between folders.

With a flag, a name is UTF-8; without the flag, a name is in code page 437 (APPNOTE.TXT 4.4.4,
bit 11, and appendix D). Info-ZIP's ``zip`` and macOS write UTF-8 without the flag.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from enum import StrEnum

UTF8_NAME = 0x800
_UNICODE_PATH = 0x7075
"""Extra field with the name in UTF-8 and the CRC-32 of the replaced name (4.6.9)."""
_FAT = 0
"""Made on MS-DOS or Windows (4.4.2)."""


class Guess(StrEnum):
    """How a name that violates the format was read; continues a sentence."""

    UTF8 = "has no declared encoding and was read as UTF-8"
    CP437 = "has no declared encoding and was read as code page 437"
    BACKSLASHES = "had backslashes between folders"


def raw(info: zipfile.ZipInfo) -> bytes:
    """The bytes of the name in the ZIP."""
    # zipfile cuts `filename` at a NUL, but not `orig_filename`.
    return info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_NAME else "cp437")


def read(info: zipfile.ZipInfo) -> tuple[str, Guess | None]:
    """The name, and how the name was guessed, if at all."""
    name, guess = info.orig_filename, None
    if not info.flag_bits & UTF8_NAME:
        given = raw(info)
        if (declared := _unicode_path(info.extra, given)) is not None:
            name = declared
        elif not name.isascii():
            name, guess = _guessed(given)
    if info.create_system == _FAT and "\\" in name and "/" not in name:
        # .NET Framework before 4.6.1 writes such names; unzip converts them as well.
        return name.replace("\\", "/"), Guess.BACKSLASHES
    return name, guess


def _guessed(given: bytes) -> tuple[str, Guess]:
    try:
        return given.decode(), Guess.UTF8
    except UnicodeDecodeError:
        return given.decode("cp437"), Guess.CP437


def _unicode_path(extra: bytes, given: bytes) -> str | None:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind != _UNICODE_PATH or len(field) < 5:
            continue
        version, checksum = struct.unpack_from("<BL", field)
        if version == 1 and checksum == zlib.crc32(given):
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
    return None
