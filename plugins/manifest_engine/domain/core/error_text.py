"""Regular expressions that classify error messages of other programs."""

from __future__ import annotations

import re

_WORD = re.compile(r"""[^\s"'{}<>,]+""")
_ID = re.compile(
    r"""\bsha256:\w+
    |\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    |\b[0-9a-f]{12,}\b                    # a digest, an id""",
    re.IGNORECASE | re.VERBOSE,
)
_STANDALONE = r"(?<![\w.-])(?<!\w:){}(?![\w-]|\.\w)"
"""Matches a number or word, but not as part of a version, port, host name or longer word."""


def without_names(text: str) -> str:
    """Remove digests, ids, URLs and paths, which may contain a status or a word by chance."""
    return _WORD.sub(lambda found: _without_ids(found[0]), text)


def _without_ids(word: str) -> str:
    return " " if "/" in word else _ID.sub(" ", word)  # a URL, an image's reference, a path


def status(*codes: int) -> str:
    """A regular expression for one of these HTTP statuses."""
    return _STANDALONE.format(f"(?:{'|'.join(map(str, codes))})")


def word(*words: str) -> str:
    """A regular expression for one of these words, but not as part of a name."""
    return _STANDALONE.format(f"(?:{'|'.join(words)})")


NETWORK = (
    r"temporary failure in name resolution|name or service not known|no such host"
    r"|server misbehaving|no route to host|network is unreachable|connection refused"
    r"|connection reset by peer|connection broken|connection timed out|i/o timeout"
    r"|read timed out|tls handshake timeout|too ?many ?requests"
)
"""The server could not be reached or is too busy, in the words of any program.

An alternation without groups. Compile it with ``re.IGNORECASE``.
"""
CUT_OFF = (
    r"context deadline exceeded|client\.timeout (?:exceeded|or context)|broken pipe"
    rf"|use of closed network|client connection lost|{word('goaway', '(?-i:EOF)')}"
)
"""The server closed the connection or timed out, in the words of Go's HTTP client.

Only for errors of Go programs that talk to a server: "broken pipe" and "EOF" mean something else
in a shell or a parser.
"""
