"""Makes ZIPs that zipfile would not write (APPNOTE.TXT 4.3)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass
class Part:
    """A member with arbitrary headers. A field that is None gets the true value."""

    name: str | bytes
    content: bytes = b""
    deflate: bool = False
    mode: int = 0
    system: int = 3
    flags: int = 0
    method: int | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    offset: int | None = None
    date: int = 0x21  # 1980-01-01
    tail: bytes = b""
    """Further bytes that count as compressed data."""
    extra: bytes = b""
    """Extra fields in the central directory."""
    utf8: bool | None = None
    """The UTF-8 flag of the name; None sets the flag for names that are not ASCII."""

    @property
    def raw_name(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def packed(self) -> bytes:
        if not self.deflate:
            return self.content + self.tail
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.content) + packer.flush() + self.tail

    def fields(self) -> bytes:
        """The fields that the local header and the central directory share."""
        utf8 = not self.raw_name.isascii() if self.utf8 is None else self.utf8
        return struct.pack(
            "<5H3I",
            20,
            self.flags | (0x800 if utf8 else 0),
            (8 if self.deflate else 0) if self.method is None else self.method,
            0,
            self.date,
            zlib.crc32(self.content) if self.crc is None else self.crc,
            len(self.packed) if self.packed_size is None else self.packed_size,
            len(self.content) if self.size is None else self.size,
        )


def make_zip(*parts: Part, prefix: bytes = b"") -> bytes:
    """Members in this order, their directory, and the end record."""
    body, directory = bytearray(prefix), bytearray()
    for part in parts:
        name = part.raw_name if part.local_name is None else part.local_name
        offset = len(body) if part.offset is None else part.offset
        body += b"PK\x03\x04" + part.fields() + struct.pack("<2H", len(name), 0) + name
        body += part.packed
        directory += b"PK\x01\x02" + struct.pack("<BB", 20, part.system) + part.fields()
        directory += struct.pack("<5H", len(part.raw_name), len(part.extra), 0, 0, 0)
        directory += struct.pack("<2I", part.mode << 16, offset) + part.raw_name + part.extra
    counts = struct.pack("<4H", 0, 0, len(parts) & 0xFFFF, len(parts) & 0xFFFF)
    place = struct.pack("<2IH", len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + counts + place)
