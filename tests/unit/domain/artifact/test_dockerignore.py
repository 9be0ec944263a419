"""``.dockerignore`` as in Docker's documentation and in the tests and code of moby/patternmatcher.

``tests/integration/image/test_dockerignore.py`` compares the same rules with the real buildx.
"""

from __future__ import annotations

import pytest
from manifest_engine.domain.artifact.dockerignore import IgnoreRules
from manifest_engine.domain.core.errors import ArtifactError

from tests import cpu_time


def rules(text: str | bytes) -> IgnoreRules:
    return IgnoreRules(text if isinstance(text, bytes) else text.encode(), ".dockerignore")


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
def test_the_last_matching_pattern_decides(text: str, out: list[str], kept: list[str]) -> None:
    leaves_out = rules(text)
    assert [path for path in [*out, *kept] if leaves_out(path)] == out


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        ("[^s]*", ["junk", "lib/a"], ["server.py", "scripts/Dockerfile"]),
        ("[!s]*", ["server.py", "!x"], ["junk"]),
        ("[^a]b", ["xb", "/b"], ["ab"]),
        (r"\*", ["*"], ["a"]),
        (r"src\data", ["src7ata"], ["src/data", r"src\data"]),
        ("a{2}*", ["aa", "aab"], ["a{2}"]),
        ("a|b*", ["abc", "xb"], ["x"]),
        ("a^b", ["a^b"], []),
        ("a^b*", [], ["a^b", "ab"]),
        ("**foo", ["foo", "xfoo", "a/xfoo"], ["foox"]),
        ("**/foo", ["foo", "a/foo"], ["xfoo"]),
        ("foo**", ["foo", "foox", "foo/x"], ["xfoo"]),
        ("**", ["a", "a/b"], []),
        ("[[:digit:]]*", ["7", "7a"], ["a", ":"]),
        ("/!a", ["b"], []),
        ("gr\u00f6\u00df?", ["gr\u00f6\u00dfe"], ["gr\u00f6\u00df"]),
    ],
)
def test_a_pattern_becomes_the_regular_expression_of_docker(
    text: str, out: list[str], kept: list[str]
) -> None:
    leaves_out = rules("b\n" + text if text.startswith("/!") else text)
    assert [path for path in [*out, *kept] if leaves_out(path)] == out


@pytest.mark.parametrize(
    "bad", ["[z-a]*", "[", "a[b", "[]", "[^]", "[a-]", "a\\", "!", "!/", r"\y"]
)
def test_an_invalid_pattern_is_refused_with_file_and_line(bad: str) -> None:
    with pytest.raises(ArtifactError, match=r"^\.dockerignore, line 3: ") as caught:
        rules(f"*.md\r\n# comment\n{bad}\n")("x")
    assert not caught.value.retryable


def test_an_invalid_range_that_is_never_compared_is_no_error() -> None:
    assert rules("*\n[z-a]*\n")("a/b")


def test_an_ignored_folder_is_not_searched() -> None:
    """filter.go compares no path inside the folder, so an invalid range causes no error."""
    assert rules("a\n!a/b\n")("a/c")
    assert rules("a\na/[z-a]\n")("a/b")
    with pytest.raises(ArtifactError, match="line 2"):
        rules("a\n![z-a]\n")("a/b")


def test_a_folders_match_applies_to_its_content() -> None:
    """The content of a folder inherits its results (MatchesUsingParentResults)."""
    leaves_out = rules("*\n!src\nsrc/*/x\n!src/a/x/keep")
    assert [p for p in ["src/b", "src/a/x/y", "src/a/x/keep", "z"] if leaves_out(p)] == [
        "src/a/x/y",
        "z",
    ]


def test_a_utf_16_file_matches_nothing_and_is_detected() -> None:
    leaves_out = rules("secrets\r\n**\r\n".encode("utf-16"))
    assert leaves_out.is_utf16
    assert not leaves_out("secrets/key.pem")


def test_invalid_utf_8_is_an_ordinary_pattern() -> None:
    assert not rules(b"\xff\n")("a")
    assert rules(b"\xff\nb")("b")


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(ArtifactError, match="line 2: the line has more than 65536 bytes"):
        rules("a\n" + "b" * 65536)


@pytest.mark.parametrize("pattern", ["*a" * 2000 + "b", "**/" * 2000 + "b", "[^b]*" * 2000 + "b"])
def test_the_time_is_linear_in_the_path_for_any_pattern(pattern: str) -> None:
    leaves_out = rules(pattern)
    with cpu_time.measured() as taken:
        assert not leaves_out("/".join(["a" * 250] * 16))
    assert taken.seconds < 2
