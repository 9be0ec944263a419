"""Huge members and directories need little memory."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core.errors import ArtifactError

from tests.unit.domain.artifact.archives import LIMITS, LIMITS_OFF, contents
from tests.unit.domain.artifact.zip_bytes import Part, make_zip


def test_a_huge_member_is_streamed_in_little_memory(tmp_path: Path):
    """128 MiB of zeros, stored in a sparse file."""
    size = 128 << 20
    whole = make_zip(Part("zeros", size=size, packed_size=size, crc=_crc_of_zeros(size)))
    directory = whole.index(b"PK\x01\x02")
    moved = bytearray(whole[directory:])
    struct.pack_into("<I", moved, len(moved) - 6, directory + size)
    path = tmp_path / "big.zip"
    with path.open("wb") as file:
        file.write(whole[:directory])
        file.seek(directory + size)
        file.write(moved)

    tracemalloc.start()
    with path.open("rb") as file:
        streamed = sum(len(block) for block in open_archive(file, LIMITS).tar_stream())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert streamed > size
    assert peak < 8 << 20


def test_a_bomb_within_the_limits_is_streamed_in_little_memory():
    made = io.BytesIO(make_zip(Part("zeros", bytes(32 << 20), deflate=True)))

    tracemalloc.start()
    blocks = open_archive(made, LIMITS_OFF).tar_stream()
    streamed = sum(len(block) for block in blocks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert streamed > 32 << 20
    assert peak < 8 << 20


def test_content_that_ends_just_after_a_block_is_read_completely():
    """zlib may hold back output although it has read all input."""
    for more in range(0, 300, 17):
        content = bytes((1 << 20) + more)
        made = open_archive(io.BytesIO(make_zip(Part("a", content, deflate=True))), LIMITS_OFF)

        assert contents(made.tar_stream())["a"] == content


def test_a_directory_of_a_million_entries_is_refused_before_it_fills_the_memory():
    many = b"PK\x01\x02".ljust(46, b"\0") * 1_000_000
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 0xFFFE, 0xFFFE, len(many), 0, 0)
    file = io.BytesIO(many + end)

    tracemalloc.start()
    with pytest.raises(ArtifactError, match="more than 100000 members"):
        open_archive(file, LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100 << 20


def _crc_of_zeros(size: int) -> int:
    block, crc = bytes(16 << 20), 0
    for _ in range(size // len(block)):
        crc = zlib.crc32(block, crc)
    return crc
