"""What Docker's own documentation and moby/patternmatcher's tests say of ``.dockerignore``."""

from __future__ import annotations

import pytest
from manifest_engine.hooks.dockerignore import ignored


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        ("secret.txt", ["secret.txt"], ["a/secret.txt", "secret.txt.bak"]),
        ("/secret.txt", ["secret.txt"], ["a/secret.txt"]),
        ("*.md", ["README.md"], ["docs/README.md"]),
        ("*/temp*", ["a/temp", "a/temporary.txt"], ["temp", "a/b/temp"]),
        ("*/*/temp*", ["a/b/temporary.txt"], ["a/temp"]),
        ("temp?", ["tempa"], ["temp", "tempab"]),
        ("**/*.go", ["a.go", "a/b/c.go"], ["a.py"]),
        ("**/node_modules", ["node_modules/x", "a/b/node_modules/c/d.js"], ["a/node.js"]),
        ("build/", ["build", "build/x", "build/a/b"], ["a/build/x", "builder"]),
        ("./build", ["build/x"], ["a"]),
        ("a/../b", ["b/x"], ["a/x"]),
        ("file[0-9]", ["file1"], ["filea"]),
        (".", [], ["a", "b/c"]),
        ("# README.md\n\n  \n  notes  ", ["notes"], ["README.md", "# README.md"]),
        ("*.md\n!README.md", ["a.md"], ["README.md"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md"]),
        ("*.md\nREADME-secret.md\n!README*.md", ["a.md"], ["README.md", "README-secret.md"]),
        ("*\n!src\n! lib/requirements.txt", ["a", "lib/b"], ["src/a/b", "lib/requirements.txt"]),
        ("docs\n!docs/README.md", ["docs/a", "docs/b/c"], ["docs/README.md"]),
        ("\ufeff*.log\r\n*.tmp\r\n", ["a.log", "a.tmp"], ["a"]),
    ],
)
def test_the_last_pattern_that_matches_a_path_or_its_folder_decides(
    text: str, out: list[str], kept: list[str]
) -> None:
    leaves_out = ignored(text.encode())
    assert [path for path in [*out, *kept] if leaves_out(path)] == out


def test_bytes_that_are_no_utf_8_are_a_pattern_like_any_other() -> None:
    assert not ignored(b"\xff\n")("a")
