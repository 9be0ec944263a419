"""Text from outside in Markdown."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core import markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "`plain`"),
        ("a`b|c", "`a'b\\|c`"),
        ("two\nlines \x1b[31mred\x00", "`two lines red\ufffd`"),
        ("![x](http://example.com/a.png)", "`![x](http://example.com/a.png)`"),
        (" ", "(empty)"),
    ],
)
def test_code_renders_no_part_of_the_text_as_markdown(text, shown):
    assert markdown.code(text, 80) == shown


def test_code_is_cut_at_its_limit():
    assert markdown.code("x" * 1_000_000, 5) == "`xxxx…`"


def test_a_fence_in_the_text_does_not_end_the_block():
    text = "before\n```\n[link](http://example.com)\n````"
    assert markdown.block(text, 100) == f"`````\n{text}\n`````"


def test_a_block_is_cut_at_its_limit():
    assert len(markdown.block("x" * 1_000_000, 100)) <= 100 + len("```\n\n```")
