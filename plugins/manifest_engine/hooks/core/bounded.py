"""Read the output of programs and logs of any length in bounded memory."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

LINE_BYTES = 64 << 10
"""The middle of a longer line is dropped. The limit exceeds that of a log line, where the cut is
visible."""
_ERRORS_MAX = 64 << 10


def lines(blocks: Iterable[bytes], limit: int = LINE_BYTES) -> Iterator[bytes]:
    """The lines of a stream, without line ends; the last line needs no line end.

    Only the beginning and the end of a line with more bytes than ``limit``.
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
    """Exit status and output of a program."""

    status: int
    stdout: bytes
    stderr: bytes
    """The last bytes."""


def output(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: int,
    deadline_seconds: float,
    stdin: bytes = b"",
    niceness: int = 0,
) -> Output:
    """Run a program and return its output, which is kept on disk while the program runs.

    :param limit: maximum size of the output in bytes.
    :param niceness: added to the program's own, see nice(1).
    :raises subprocess.TimeoutExpired: after ``deadline_seconds``.
    :raises OSError: when the program does not exist, or its output exceeds ``limit`` (EFBIG).
    """
    command = ["nice", "-n", str(niceness), *argv] if niceness else argv
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            command,
            env=env,
            input=stdin,
            stdout=out,
            stderr=errors,
            timeout=deadline_seconds,
            check=False,
        )
        if out.tell() > limit:
            raise OSError(
                errno.EFBIG, f"the output of {PurePath(argv[0]).name} has more than {limit} bytes"
            )
        out.seek(0)
        errors.seek(max(0, errors.tell() - _ERRORS_MAX))
        return Output(done.returncode, out.read(limit), errors.read(_ERRORS_MAX))
