"""The pages quote sentences as the package says them, apart from names and numbers."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| [^|]+ \| (?P<sentence>.+) \|$", re.MULTILINE)
_VALUES = re.compile(r"\b(ada|bob|dev|deploy|grace|mallory|prod|pricing|quotes|role:op)\b|[\d']")
_SHARE = 0.6
"""Share of the pairs of words that the package must contain; the rest has other examples."""


def groups(text: str) -> set[tuple[str, str]]:
    """The pairs of neighbouring words without an example value between them."""
    parts = (re.findall(r"[a-z]+", part or "") for part in _VALUES.split(text.lower()))
    return {pair for words in parts for pair in itertools.pairwise(words)}


def said_by_the_package() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for file in (ROOT / "plugins/manifest_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
                found |= groups(" ".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= groups(node.value)
    return found


SAID = said_by_the_package()


def quoted(page: str) -> list[str]:
    """The sentences in the second column of the tables that have a column "sentence"."""
    text = (ROOT / page).read_text()
    tables = re.split(r"^\| [^|]+ \| sentence \|\n", text, flags=re.MULTILINE)[1:]
    return [
        match["sentence"]
        for table in tables
        for match in _ROW.finditer(table.split("\n\n")[0])
        if not match["sentence"].startswith("---")
    ]


@pytest.mark.parametrize("sentence", quoted("docs/security.md"))
def test_a_quoted_sentence_is_one_of_the_package(sentence: str) -> None:
    asked = groups(sentence)
    known = asked & SAID
    assert len(known) >= _SHARE * len(asked), f"not said any more: {sorted(asked - known)}"


def test_the_page_has_sentences() -> None:
    assert len(quoted("docs/security.md")) > 20
