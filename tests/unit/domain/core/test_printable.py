"""Text from outside becomes printable and bounded, and keeps its beginning and end."""

from __future__ import annotations

import json

import pytest
from manifest_engine.domain.core import printable

from tests import cpu_time

HOSTILE = {
    "NUL": "\0",
    "a bell": "\x07",
    "DEL": "\x7f",
    "a C1 control": "\x84",
    "a lone surrogate": "\ud83d",
    "a bidirectional override": "\u202e",
    "an isolate": "\u2066",
    "an escape that ends the text": "\x1b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_unprintable_characters_are_replaced(text):
    raw = f"pip failed{text}"
    for made in (
        printable.printable(raw, 100),
        printable.line(raw),
        printable.excerpt(raw),
        printable.sentence(raw),
        printable.storable({raw: [raw]})["pip failed\ufffd"][0],
    ):
        assert made == "pip failed\ufffd"
        made.encode()


@pytest.mark.parametrize("char", HOSTILE.values(), ids=HOSTILE)
def test_the_first_unprintable_character_is_named(char):
    assert printable.unprintable(f"ok\t\n{char}\0") == f"U+{ord(char):04X}"
    assert printable.unprintable("Grüße 👩‍🔬\t\r\n") is None


@pytest.mark.parametrize(
    "escape",
    [
        "\x1b[31;1m",
        "\x1b[0K",
        "\x1b[?25l",
        "\x9b31m",
        "\x1b]0;a title\x07",
        "\x1b]8;;https://host/x\x1b\\",
        "\x1bPdevice control\x1b\\",
        "\x1b(B",
        "\x1bM",
    ],
)
def test_terminal_escapes_are_removed(escape):
    assert printable.line(f"no {escape}module") == "no module"


@pytest.mark.parametrize("begin", ["\x1b]0;", "\x1bP", "\x1b[", "\x9d", "\x1b^"])
def test_an_unterminated_escape_hides_no_text(begin):
    assert "pip failed" in printable.printable(f"{begin}\npip failed", 100)
    assert "ip failed" in printable.line(f"{begin} pip failed")


def test_line_ends_are_normalised_or_replaced():
    assert printable.printable("a\r\nb\rc\x0bd\u2028e\n", 100) == "a\nb\nc\nd\ne\n"
    assert printable.line("  a\r\nb  c\td \r\n") == "  a b  c\td"


def test_a_long_text_keeps_its_beginning_and_its_end():
    made = printable.printable("begin " + "x" * 1_000_000 + " end", 100)
    assert (made[:6], made[-4:], len(made) <= 100) == ("begin ", " end", True)
    made = printable.line(b"begin " + b"\x1b[31m" * 1_000_000 + b" end", 100)
    assert (made[:6], made[-4:], len(made) <= 100) == ("begin ", " end", True)


def test_an_excerpt_keeps_the_beginning():
    assert printable.excerpt("<html>\n<p>no", 100) == "<html> <p>no"
    made = printable.excerpt("<html>" + "x" * 1_000_000, 100)
    assert (made[:6], made[-1], len(made)) == ("<html>", "…", 100)
    assert printable.excerpt("<p>" + "\x1b[31m" * 1_000_000, 100) == "<p>…"


def test_bytes_are_read_as_utf_8():
    assert printable.line("Grüße".encode() + b"\xff\0") == "Grüße\ufffd\ufffd"


def test_storable_json_keeps_its_shape_and_legal_texts():
    value = {"env": {"A": "x\r\n\ty"}, "n": [1, None, True, 1.5], "long": "x" * 131_071}
    assert printable.storable(value) == value
    made = printable.storable({"log": "a\0" * 1_000_000})
    assert len(made["log"]) <= printable.XCOM_TEXT_MAX
    assert "\\u0000" not in json.dumps(made)


@pytest.mark.parametrize(
    "unit", ["\x1b", "\x1b[", "\x1b[0", "\x1b]", "\x9b", "\x1bP;", "\0", "\r", " ", "\ud800", "a "]
)
def test_the_time_does_not_grow_with_the_text(unit):
    text = unit * 20_000_000
    with cpu_time.measured() as taken:
        for made in (printable.line(text), printable.excerpt(text), printable.sentence(text)):
            assert len(made) <= printable.SENTENCE_MAX
    assert taken.seconds < 0.5
