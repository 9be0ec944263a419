"""Output of any length is read in little memory."""

from __future__ import annotations

import os
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.hooks.builder.buildx_run import Child
from manifest_engine.hooks.core import bounded

from tests import cpu_time

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("blocks", "lines"),
    [
        ([b"a\nb", b"c\n", b"\nd"], [b"a", b"bc", b"", b"d"]),
        ([b"a\n"], [b"a"]),
        ([], []),
    ],
)
def test_blocks_are_split_into_lines(blocks, lines):
    assert list(bounded.lines(blocks)) == lines


def test_a_long_line_keeps_its_beginning_and_its_end():
    blocks = [b"begin", *[b"x" * 10_000] * 10_000, b"end\nnext"]
    tracemalloc.start()
    with cpu_time.measured() as taken:
        line, following = bounded.lines(blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (line[:5], line[-3:], following) == (b"begin", b"end", b"next")
    assert len(line) <= bounded.LINE_BYTES + 10_000
    assert peak < MEBIBYTE
    assert taken.seconds < 2


def test_output_without_line_ends_is_read_in_little_memory():
    program = "import sys\nfor _ in range(16): sys.stdout.write('\\0\\x1b[31mx' * (1 << 17))"
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


def test_the_output_and_the_end_of_the_errors_are_returned():
    done = bounded.output(
        [sys.executable, "-c", "import sys; print(input()); sys.exit('no ' * 100_000 + 'end')"],
        env={},
        stdin=b"said",
        limit=5,
        deadline_seconds=60,
    )
    assert (done.status, done.stdout, done.stderr[-4:]) == (1, b"said\n", b"end\n")
    assert len(done.stderr) <= 64 << 10


@pytest.mark.parametrize("niceness", [0, 10])
def test_too_much_output_is_an_error_that_names_the_program(niceness):
    program = re.escape(Path(sys.executable).name)
    with pytest.raises(OSError, match=f"the output of {program} has more than 5 bytes"):
        bounded.output(
            [sys.executable, "-c", "print('x' * 5)"],
            env={"PATH": os.environ["PATH"]},
            limit=5,
            deadline_seconds=60,
            niceness=niceness,
        )
