"""Reading other programs' errors: their words alone, without the names that they are about."""

from __future__ import annotations

import re

_WORD = re.compile(r"""[^\s"'{}<>,]+""")
_ID = re.compile(
    r"""\bsha256:\w+
    |\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    |\b[0-9a-f]{12,}\b                    # a digest, an id""",
    re.IGNORECASE | re.VERBOSE,
)
_ALONE = r"(?<![\w.-])(?<!\w:){}(?![\w-]|\.\w)"
"""Of a number or a word that is no part of a version, a port, a host name or a longer one."""


def without_names(text: str) -> str:
    """An error without what a status or a word may stand in by chance: digests, ids, addresses."""
    return _WORD.sub(lambda found: _without_ids(found[0]), text)


def _without_ids(word: str) -> str:
    return " " if "/" in word else _ID.sub(" ", word)  # a URL, an image's reference, a path


def status(*codes: int) -> str:
    """A regular expression for one of these HTTP statuses."""
    return _ALONE.format(f"(?:{'|'.join(map(str, codes))})")


def word(*words: str) -> str:
    """A regular expression for one of these words, where it is no part of a name."""
    return _ALONE.format(f"(?:{'|'.join(words)})")


NETWORK = (
    r"temporary failure in name resolution|name or service not known|no such host"
    r"|server misbehaving|no route to host|network is unreachable|connection refused"
    r"|connection reset by peer|connection broken|connection timed out|i/o timeout"
    r"|read timed out|tls handshake timeout|too ?many ?requests"
)
"""A server that was not reached or is too busy, whichever program says it.

An alternation without groups, to be compiled with ``re.IGNORECASE``.
"""
CUT_OFF = (
    r"context deadline exceeded|client\.timeout (?:exceeded|or context)|broken pipe"
    rf"|use of closed network|client connection lost|{word('goaway', '(?-i:EOF)')}"
)
"""The same of a server that breaks off or is late, as Go's HTTP client says it.

Only for errors of programs in Go that talk to a server: a shell or a parser that says "broken pipe"
or "EOF" means something else.
"""
