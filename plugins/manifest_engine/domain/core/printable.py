"""Makes foreign text printable and bounded, before it reaches a log line, an XCom or an error.

Foreign is everything that we did not write: a run's conf, names in a ZIP, the output of a build,
logs of pods, answers of servers. Control characters in it would move the cursor of a terminal or
hide text, and PostgreSQL refuses NUL and lone surrogates in JSON. All functions take time that is
linear in the limit, however long the text is.
"""

from __future__ import annotations

import re
from typing import Any

EXCERPT_MAX = 300
"""Characters of what a server or a program said, inside a sentence of ours."""
LINE_MAX = 2_000
"""Characters of one line of build output or of a pod's log."""
SENTENCE_MAX = 8_000
"""Characters of one error, with the last lines of the log that it repeats; also of XCom ``error``
and of an annotation that holds a sentence."""
XCOM_TEXT_MAX = 131_072
"""Characters of one text in an XCom. The longest legal one is a value of ``env``, which Linux
bounds (MAX_ARG_STRLEN)."""
ANSWER_MAX = 8 << 20
"""Bytes of an HTTP answer that is read as a whole: a registry's manifest is at most 4 MiB."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Stands for each character that is not printable."""
CUT = " … "
"""Stands for the middle of a text that is too long."""

_ESCAPE_SEQUENCE = re.compile(
    r"""(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]                          # CSI: colours, the cursor
    |(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f\r\n]*+(?:\x07|\x1b\\|\x9c)  # OSC
    |\x1b[ -/]*+[0-~]                                               # all others: character sets""",
    re.VERBOSE,
)
"""ECMA-48, 5.3 to 5.6. A string that nothing ends is text: a terminal would hide all the rest."""
_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f"
    r"\ud800-\udfff"  # surrogates: alone in a str, they cannot be encoded
    r"\u202a-\u202e\u2066-\u2069]"  # bidirectional overrides: text reads as what it is not
)
_RAW_PER_PRINTABLE = 4
"""So many raw characters per allowed one are looked at: colours take some of them."""


def printable(text: str | bytes, limit: int) -> str:
    """Text of several lines: without terminal escapes and with ``\\n`` at the end of each line.

    :param limit: characters; of a longer text the middle is cut out, since an error's cause stands
        at its begin or its end.
    """
    return _cut_middle(_clean(text, limit, ends=True), limit)


def line(text: str | bytes, limit: int = LINE_MAX) -> str:
    """The same as one line, without white space at its end."""
    return _cut_middle(_clean(text, limit, ends=True).rstrip().replace("\n", " "), limit)


def excerpt(text: str | bytes, limit: int = EXCERPT_MAX) -> str:
    """The begin of a text as one line, for a sentence of ours; ``…`` shows that more follows."""
    words = " ".join(_clean(text, limit, ends=False).split())
    whole = len(words) <= limit and len(text) <= _RAW_PER_PRINTABLE * limit
    return words if whole else words[: limit - 1] + "…"


def sentence(text: str) -> str:
    """An error as a whole."""
    return printable(text, SENTENCE_MAX)


def storable(value: Any) -> Any:
    """JSON as PostgreSQL takes it: each text and each key in it is bounded, and its line ends and
    tabs are as they were."""
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
    """:param ends: whether the end of the text counts, and not only its begin."""
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
