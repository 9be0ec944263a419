"""Reads what programs and logs write in bounded memory, however much that is."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

LINE_BYTES = 64 << 10
"""Of a longer line of a stream the middle is dropped. More than what becomes of it in a log, where
it is cut again, and visibly."""
_ERRORS_MAX = 64 << 10


def lines(blocks: Iterable[bytes], limit: int = LINE_BYTES) -> Iterator[bytes]:
    """The lines of a stream, without their ends; the last one may have none.

    Of a line with more bytes than ``limit`` its begin and its end.
    """
    half = limit // 2
    line = bytearray()
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for part in whole:
            line += part
            yield bytes(line)
            line.clear()
        line += rest
        if len(line) > limit:
            del line[half:-half]
    if line:
        yield bytes(line)


class Output(NamedTuple):
    """What a program has written."""

    status: int
    stdout: bytes
    stderr: bytes
    """Its end."""


def output(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: int,
    deadline_seconds: float,
    stdin: bytes = b"",
) -> Output:
    """Run a program that answers once; its output waits on disk rather than in memory.

    :param limit: bytes of its output that are read; more are an error.
    :raises subprocess.TimeoutExpired: after ``deadline_seconds``.
    :raises OSError: when there is no such program, or its output has more bytes (EFBIG).
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            argv,
            env=env,
            input=stdin,
            stdout=out,
            stderr=errors,
            timeout=deadline_seconds,
            check=False,
        )
        if out.tell() > limit:
            raise OSError(errno.EFBIG, f"the output of {argv[0]} has more than {limit} bytes")
        out.seek(0)
        errors.seek(max(0, errors.tell() - _ERRORS_MAX))
        return Output(done.returncode, out.read(limit), errors.read(_ERRORS_MAX))
