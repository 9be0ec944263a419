"""Makes text from outside printable and bounded, before it reaches a log, an XCom or an error.

Text from outside is a run's conf, names in a ZIP, build output, pod logs and answers of servers.
Control characters could move the cursor of a terminal or hide text, and PostgreSQL refuses NUL and
lone surrogates in JSON. The time of each function is linear in the limit, not in the text.
"""

from __future__ import annotations

import re
from typing import Any

EXCERPT_MAX = 300
"""Characters of text from a server or a program that one of our sentences quotes."""
LINE_MAX = 2_000
"""Characters of one line of build output or of a pod's log."""
SENTENCE_MAX = 8_000
"""Characters of one error with the log lines that it quotes; also of the XCom ``error`` and of an
annotation with a sentence."""
XCOM_TEXT_MAX = 131_072
"""Characters of one text in an XCom. The longest legal text is a value of ``env``, which Linux
limits (MAX_ARG_STRLEN)."""
ANSWER_MAX = 8 << 20
"""Bytes of an HTTP answer that is read into memory: a registry's manifest is at most 4 MiB."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Replaces each character that is not printable."""
CUT = " … "
"""Replaces the middle of a text that is too long."""

_ESCAPE_SEQUENCE = re.compile(
    r"""(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]                          # CSI: colours, the cursor
    |(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f\r\n]*+(?:\x07|\x1b\\|\x9c)  # OSC
    |\x1b[ -/]*+[0-~]                                               # all others: character sets""",
    re.VERBOSE,
)
"""ECMA-48, 5.3 to 5.6. A control string without an end counts as text, since a terminal would hide
the rest of the output."""
_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f"
    r"\ud800-\udfff"  # lone surrogates, which cannot be encoded
    r"\u202a-\u202e\u2066-\u2069]"  # bidirectional overrides, which reorder the shown text
)
_RAW_PER_PRINTABLE = 4
"""Raw characters that are read for each allowed character: escape sequences take some of them."""


def printable(text: str | bytes, limit: int) -> str:
    """Text of several lines, without terminal escapes and with ``\\n`` as line end.

    :param limit: characters; a longer text loses its middle, since the cause of an error is at the
        beginning or at the end of its text.
    """
    return _cut_middle(_clean(text, limit, ends=True), limit)


def line(text: str | bytes, limit: int = LINE_MAX) -> str:
    """Like :func:`printable`, but on one line and without trailing white space."""
    return _cut_middle(_clean(text, limit, ends=True).rstrip().replace("\n", " "), limit)


def excerpt(text: str | bytes, limit: int = EXCERPT_MAX) -> str:
    """The beginning of a text on one line, to quote in a sentence; ``…`` marks a cut."""
    words = " ".join(_clean(text, limit, ends=False).split())
    whole = len(words) <= limit and len(text) <= _RAW_PER_PRINTABLE * limit
    return words if whole else words[: limit - 1] + "…"


def sentence(text: str) -> str:
    """The text of an error."""
    return printable(text, SENTENCE_MAX)


def storable(value: Any) -> Any:
    """JSON that PostgreSQL accepts, with bounded texts and keys. Line ends and tabs are kept."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(REPLACEMENT, _cut_middle(value, XCOM_TEXT_MAX))
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def unprintable(text: str) -> str | None:
    """The first character that is not printable, as ``U+0000``; None when all are."""
    found = _UNPRINTABLE.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def _clean(text: str | bytes, limit: int, *, ends: bool) -> str:
    """:param ends: whether to keep the end of a long text as well as the beginning."""
    raw = _RAW_PER_PRINTABLE * limit
    if len(text) > raw:
        half = raw // 2
        if isinstance(text, bytes):
            text = text[:half] + CUT.encode() + text[-half:] if ends else text[:raw]
        else:
            text = text[:half] + CUT + text[-half:] if ends else text[:raw]
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(REPLACEMENT, _LINE_END.sub("\n", _ESCAPE_SEQUENCE.sub("", text)))


def _cut_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = (limit - len(CUT)) // 2
    return text[:half] + CUT + text[-half:]
