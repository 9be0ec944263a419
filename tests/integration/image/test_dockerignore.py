"""Compares our implementation of ``.dockerignore`` with buildx, for several hundred patterns.

One build has many contexts, each with its own ``.dockerignore``, and exports the files that it
received. The patterns are generated from a fixed seed.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

from sandbox.engine import docker_cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CONTEXTS = 50
_PARTS = (
    *("a", "b", "ab", "a.b", "x.pyc", ".env", "src", "README.md", "a b", "[a]", "a^b"),
    *("\u00e9", "\u00df.txt", "!a", "#a", "$", "a+", "(a)", "{b}", "B", "1ata", "z*"),
)
_ATOMS = (
    *("a", "b", "c", ".", "*", "**", "/", "**/", "/**", "?", "[ab]", "[^a]", "[a-c]", "[!a]"),
    *("\\a", "\\b", "\\[", "\\]", "\\*", "\\d", "\\.", "\\\\", "^", "$", "+", "(", "{", "}", "|"),
    *(" ", "!", "#", "\u00e9", "[\u00e9]", "[*]", "[?]", "[\\]]", "[^/]", "[.-0]", "[[:alpha:]]"),
    *("\\w", "\\pL", "_", "-", "..", "./", "\u00a0", "src", ".env", "pyc", "README", "*.md"),
)


class Case:
    """A tree, a valid ignore file, and the files that we stream."""

    def __init__(self, chance: random.Random) -> None:
        self.files = _tree(chance)
        self.ignore = b""
        self.expected: set[str] = set()
        while not self.expected:
            self.ignore = _ignore_file(chance, sorted(self.files))
            try:
                self.expected = _ours(self.files, self.ignore)
            except ArtifactError:
                continue  # a separate test covers refused patterns

    def write(self, folder: Path) -> None:
        for path in self.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"")
        (folder / ".dockerignore").write_bytes(self.ignore)


def _tree(chance: random.Random) -> set[str]:
    files: set[str] = set()
    for _ in range(30):
        path = "/".join(chance.choice(_PARTS) for _ in range(chance.randint(1, 4)))
        parents = {path[:place] for place, char in enumerate(path) if char == "/"}
        if not parents & files and not any(file.startswith(path + "/") for file in files):
            files.add(path)
    return set({path.casefold(): path for path in files}.values())


def _ignore_file(chance: random.Random, paths: list[str]) -> bytes:
    text = "\n".join(_pattern(chance, paths) for _ in range(chance.randint(2, 5)))
    return (
        (chance.choice(["", "\ufeff"]) + text)
        .encode()
        .replace(b"\n", chance.choice([b"\n", b"\r\n"]))
    )


def _pattern(chance: random.Random, paths: list[str]) -> str:
    if chance.random() < 0.5:
        made = list(chance.choice(paths))
        for _ in range(chance.randint(0, 3)):
            place = chance.randrange(len(made))
            made[place] = chance.choice(["*", "?", "[^b]", "**", f"\\{made[place]}", "[a-z]"])
        pattern = chance.choice(["", "/", "./", "**/"]) + "".join(made)
        pattern += chance.choice(["", "/", "/*", "/**", "*"])
    else:
        pattern = "".join(chance.choice(_ATOMS) for _ in range(chance.randint(1, 5)))
    return chance.choice(["", "", "!", "! "]) + pattern


def _ours(files: set[str], ignore: bytes) -> set[str]:
    """The names of the files in the context that we stream."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for path in files:
            target.writestr(zipfile.ZipInfo(path), b"")
        target.writestr(".dockerignore", ignore)
    return set(_names(open_archive(made, Limits()).tar_stream()))


def _names(tar: Iterator[bytes]) -> Iterator[str]:
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as opened:
        for entry in opened:
            if entry.name != ".":
                yield entry.name + "/" * entry.isdir()


@pytest.fixture
def buildx(docker_host: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    def build(folder: Path, dockerfile: str, *words: str) -> subprocess.CompletedProcess[str]:
        (folder / "Dockerfile").write_text(dockerfile)
        env = {
            "PATH": f"{docker_cli.BIN}:{os.environ['PATH']}",
            "DOCKER_HOST": docker_host,
            "DOCKER_CONFIG": str(docker_cli.CONFIG),
        }
        output = ["--provenance=false", "--output", f"type=local,dest={folder}/out"]
        argv = ["docker", "buildx", "build", "--file", f"{folder}/Dockerfile", *output, *words]
        return subprocess.run(
            [*argv, str(folder / "context")], env=env, capture_output=True, text=True, check=False
        )

    return build


@pytest.mark.parametrize("seed", range(3))
def test_buildx_sends_exactly_what_we_stream(
    seed: int, buildx: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    cases = [Case(chance) for _ in range(_CONTEXTS)]
    dockerfile, words = "FROM scratch\n", []
    (tmp_path / "context").mkdir()
    for number, case in enumerate(cases):
        case.write(tmp_path / f"c{number}")
        dockerfile += f"COPY --from=c{number} / /{number}/\n"
        words += ["--build-context", f"c{number}={tmp_path}/c{number}"]
    done = buildx(tmp_path, dockerfile, *words)
    assert done.returncode == 0, done.stderr[-2000:]

    for number, case in enumerate(cases):
        root = tmp_path / "out" / str(number)
        arrived = {str(found.relative_to(root)) + "/" * found.is_dir() for found in root.rglob("*")}
        assert case.expected == arrived, case.ignore


@pytest.mark.parametrize(
    "ignore", [b"*.md\n[z-a]*\n", b"[a\n", b"!\n", b"a[^]b\n", b"*\n![z-a]\n", b"\\y\n"]
)
def test_buildx_refuses_what_we_refuse(
    ignore: bytes, buildx: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "b").write_bytes(b"")
    (tmp_path / "context" / ".dockerignore").write_bytes(ignore)
    for _ in range(5):
        done = buildx(tmp_path, "FROM scratch\nCOPY . /\n")
        if (
            "context canceled" not in done.stderr
        ):  # buildx may print only a consequence of the error
            break

    assert done.returncode != 0
    assert "syntax error in pattern" in done.stderr or "illegal exclusion" in done.stderr
    with pytest.raises(ArtifactError, match=r"^\.dockerignore, line \d: .* is not a pattern"):
        _ours({"b"}, ignore)


def test_buildx_also_ignores_a_utf_16_ignore_file(
    buildx: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "secret").write_bytes(b"")
    ignore = "secret\r\n**\r\n".encode("utf-16")
    (tmp_path / "context" / ".dockerignore").write_bytes(ignore)
    done = buildx(tmp_path, "FROM scratch\nCOPY . /\n")

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == _ours({"secret"}, ignore)
