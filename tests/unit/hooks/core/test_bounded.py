"""However much a program or a log writes, little of it is in memory."""

from __future__ import annotations

import sys
import time
import tracemalloc

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.hooks.builder.child import Child
from manifest_engine.hooks.core import bounded

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("blocks", "lines"),
    [
        ([b"a\nb", b"c\n", b"\nd"], [b"a", b"bc", b"", b"d"]),
        ([b"a\n"], [b"a"]),
        ([], []),
    ],
)
def test_blocks_are_joined_to_lines(blocks, lines):
    assert list(bounded.lines(blocks)) == lines


def test_of_a_line_without_end_the_begin_and_the_end_are_kept():
    blocks = [b"begin", *[b"x" * 10_000] * 10_000, b"end\nnext"]
    tracemalloc.start()
    begun = time.process_time()
    line, following = bounded.lines(blocks)
    seconds, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (line[:5], line[-3:], following) == (b"begin", b"end", b"next")
    assert len(line) <= bounded.LINE_BYTES + 10_000
    assert peak < MEBIBYTE
    assert seconds < 2


def test_a_program_that_prints_no_line_end_and_nul_is_read_in_little_memory():
    program = "import sys\nfor _ in range(64): sys.stdout.write('\\0\\x1b[31mx' * (1 << 17))"
    lines: list[str] = []
    tracemalloc.start()
    status = Child().run(
        [sys.executable, "-c", program],
        env={},
        stream=[],
        on_line=lines.append,
        deadline_seconds=60,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (status, len(lines)) == (0, 1)
    assert len(lines[0]) <= printable.LINE_MAX
    assert printable.unprintable(lines[0]) is None
    assert peak < MEBIBYTE


def test_a_program_that_answers_once():
    done = bounded.output(
        [sys.executable, "-c", "import sys; print(input()); sys.exit('no ' * 100_000 + 'end')"],
        env={},
        stdin=b"said",
        limit=5,
        deadline_seconds=60,
    )
    assert (done.status, done.stdout, done.stderr[-4:]) == (1, b"said\n", b"end\n")
    assert len(done.stderr) <= 64 << 10


def test_a_program_that_answers_too_much():
    with pytest.raises(OSError, match="more than 5 bytes"):
        bounded.output(
            [sys.executable, "-c", "print('x' * 5)"], env={}, limit=5, deadline_seconds=60
        )
