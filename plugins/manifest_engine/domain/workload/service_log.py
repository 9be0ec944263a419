"""The end of a service's log, as a sentence about a failure quotes it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby

from manifest_engine.domain.core import linear_pattern, printable

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
    r"|^\S{1,100} \S{1,100} \S{1,100} \[[0-9]{1,2}/\w{3}/[0-9]{4}[: ]"  # common log format
)
_ADVICE = (
    (
        r"\bexec:? [^\n]+: no such file or directory",
        "if the file is in the image, the interpreter in its first line is not: the lines of a "
        "script often end in CRLF (Windows), so save it with LF line ends",
    ),
    (
        r"exec format error",
        "the image is for another processor than the node's, or a script has no #! line",
    ),
    (
        r"\bbind\b.{0,300}permission denied|EACCES.{0,100}:[0-9]{1,3}\b"
        r"|permission denied.{0,60}:[0-9]{1,3}\b",
        "the container has no Linux capabilities, so it cannot listen on a port below 1024; "
        "listen on a port above 1023, and set port in the manifest to that",
    ),
    (
        r"(?:chown|set(?:re|res|e)?[ug]id|setgroups|setpriv|su-exec|gosu|initgroups|chroot)\b.{0,200}"
        r"(?:not permitted|permission denied)",
        "the container has no Linux capabilities, so it cannot change users or owners; set a "
        "numeric USER in the Dockerfile, and the owners of files at build time",
    ),
    (
        r"(?:can only|must|has to|needs to) (?:be )?run as pid 1\b",
        "the service is not process 1 of its pod; set security.pid1 in the manifest, or start "
        "the service itself, without an init system",
    ),
)
"""What a service writes when a restriction of its container stops it, and what to do."""
_LOOPBACK = r"(?:127\.0\.0\.1|localhost|::1)[^0-9\n]{1,12}"
_ANY_PORT = (
    r"\b(?:listen|serving|running|started|bound|ready)[^\n]{0,80}?"
    r"(?:https?://[^\s/:]{1,80}|0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|\bports?\b|\son )"
    r"[^0-9\n]{1,6}([0-9]{2,5})\b"
)


def advice(text: str | None) -> str:
    """What to do about the end of a service, to append to a sentence; empty when unknown."""
    plain = printable.printable(text or "", _READ_MAX)
    found = next(
        (
            advice
            for pattern, advice in _ADVICE
            if linear_pattern.compiled(pattern, across_lines=True).search(plain)
        ),
        "",
    )
    return found and f"; {found}"


def listens_on_loopback(log: str, port: int) -> str:
    """What to do when the log names the port on the loopback address; empty when it does not.

    A service that listens on every address often names that one as well.

    :param port: the port that refuses connections at the pod's address.
    """
    if linear_pattern.compiled(rf"{_LOOPBACK}{port}(?:[^0-9]|$)").search(log):
        return (
            f"it listens on 127.0.0.1 (localhost) alone, as its log says; bind 0.0.0.0 and port "
            f"{port}, so that it can be reached at the pod's address"
        )
    return ""


def listens_on_another_port(log: str, port: int) -> str:
    """What to do when the log names another port than the refused one; empty when it does not."""
    pattern = linear_pattern.compiled(_ANY_PORT)
    for line in log.splitlines():
        if (found := pattern.search(line)) and int(found[1]) != port:
            return (
                f"its log names port {found[1]}; set port in the manifest to the port on which "
                "the service listens"
            )
    return ""


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
