"""The end of a service's log, as a sentence about a failure quotes it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby

from manifest_engine.domain.core import printable

QUOTE = ". The service's last log lines:\n"
LINES = 8
"""Last log lines that an error message repeats; the task log has more."""
_READ_MAX = 100_000
"""Characters of a log that are read."""
_TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?")
_ACCESS_LINE = re.compile(
    # Flask, gunicorn, uvicorn, nginx and Apache write the request line in quotes.
    r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^"]{0,2000} HTTP/[0-9.]{1,3}"'
    r"|kube-probe/"
)


def is_access_line(line: str) -> bool:
    """Whether a line reports a request. Probes fill a log with such lines."""
    return _ACCESS_LINE.search(line) is not None


def last_lines(lines: Iterable[str], count: int) -> list[str]:
    """The last lines of a log without its access log; the last access line if there is no other."""
    kept: deque[str] = deque(maxlen=count)
    access = ""
    for line in lines:
        if not line.strip():
            continue
        if is_access_line(line):
            access = line
        else:
            kept.append(line)
    return list(kept) or ([access] if access else [])


def tail(text: str | None, lines: int = LINES) -> str:
    """The last lines of a log, to append to a sentence; empty when the log is empty.

    Without the access log. Of consecutive lines that differ only in their time, the last is kept.
    """
    plain = printable.printable(text or "", _READ_MAX)
    kept = last_lines(_without_repetition(plain.split("\n")), lines)
    quoted = [printable.line(line, printable.EXCERPT_MAX) for line in kept]
    return QUOTE + "\n".join(quoted) if quoted else ""


def _without_repetition(lines: Iterable[str]) -> Iterator[str]:
    for _, run in groupby(lines, key=lambda line: _TIME_OF_DAY.sub("", line.rstrip())):
        yield deque(run, 1)[0].rstrip()
