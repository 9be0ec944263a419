"""Mistakes in a Dockerfile that are found before the build."""

import pytest
from manifest_engine.domain.build.dockerfile import (
    base_image,
    frontend,
    has_command,
    images,
    refuse_invalid,
    runs_programs,
    undeclared,
    wildcard_copies,
)
from manifest_engine.domain.core.errors import BuildError

VALID = b'FROM python:3.11\nCMD ["python3", "server.py"]\n'


def refused(content: bytes, **how: str) -> str:
    with pytest.raises(BuildError) as caught:
        refuse_invalid(content, "scripts/Dockerfile", **how)
    assert not caught.value.retryable
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_encoding_of_two_bytes_is_named(encoding: str) -> None:
    said = refused(VALID.decode().encode(encoding))
    assert "scripts/Dockerfile is UTF-16 or binary, as PowerShell's `>` writes it" in said


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_an_empty_dockerfile_is_named(content: bytes) -> None:
    assert "scripts/Dockerfile is empty" in refused(content)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + VALID, b"# Gr\xf6\xdfe\n" + VALID])
def test_what_buildkit_reads_is_accepted(content: bytes) -> None:
    refuse_invalid(content, "scripts/Dockerfile")


@pytest.mark.parametrize("instruction", ["CMD", "entrypoint"])
def test_single_quotes_in_the_command_are_refused(instruction: str) -> None:
    said = refused(f"FROM python:3.11\n{instruction} ['python3', 'server.py']\n".encode())
    assert f"line 2 ({instruction.upper()}): ['python3', 'server.py'] has single quotes" in said
    assert f'write {instruction.upper()} ["python3", "server.py"]' in said


def test_only_the_command_of_the_built_stage_counts() -> None:
    content = b"FROM a AS one\nCMD ['x']\nFROM b AS two\nCMD x\n"
    refuse_invalid(content, "scripts/Dockerfile")
    assert "single quotes" in refused(content, target="one")
    assert not has_command(b"FROM a\nCMD x\nFROM b\n")
    assert has_command(b"FROM a AS one\nCMD x\nFROM b\n", target="ONE")


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM python:3.11", "python:3.11"),
        ("from --platform=linux/amd64 python:3.11 as run", "python:3.11"),
        ("FROM golang:1.26 AS build\nFROM python:3.11\nCOPY --from=build /a /a", "python:3.11"),
        ("FROM python:3.11 AS base\nFROM base", "python:3.11"),
        ("ARG BASE=python:3.11\nFROM ${BASE}", "python:3.11"),
        ("ARG TAG=3.11\nFROM python:$TAG", "python:3.11"),
        ("ARG TAG\nFROM python:${TAG:-3.11}", "python:3.11"),
        ("ARG UTILS_VERSION=1\nFROM a:${UTILS_VERSION}", "a:2"),
        ("ARG UTILS_VERSION\nFROM a:${UTILS_VERSION}", "a:2"),
        ("FROM a:1\nRUN python3 - <<EOF\nfrom flask import Flask\nEOF\nRUN true", "a:1"),
        ("FROM a:1\nCOPY <<A <<'B' /x/\nFROM b\nA\nFROM c\nB\nRUN true", "a:1"),
        ("FROM a:1\nRUN echo $((1<<n))\nFROM b:1", "b:1"),
        ("# FROM nothing\n", None),
    ],
)
def test_the_base_image_is_that_of_the_last_stage(dockerfile: str, base: str | None) -> None:
    assert base_image(dockerfile.encode(), {"UTILS_VERSION": "2"}) == base


def test_nested_arguments_do_not_fill_the_memory() -> None:
    dockerfile = b"ARG A=" + b"a" * 100_000 + b"\nFROM " + b"$A" * 100_000
    assert len(base_image(dockerfile, {}) or "") <= 1024


def test_the_base_image_of_a_target_is_that_of_its_stage() -> None:
    content = b"FROM a:1 AS one\nFROM one AS two\nFROM b:1\n"
    assert base_image(content, {}, target="TWO") == "a:1"
    assert base_image(content, {}, target="three") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a:1\n", {"a:1"}),
        ("FROM \\\n  # a comment\n  a:1 AS x\nFROM x\nCOPY --from=x /a /a\n", {"a:1"}),
        ("ARG TEAM=a\nFROM r.example/$TEAM/x:1\n", {"r.example/a/x:1"}),
        ("FROM scratch\nCOPY --chown=1 --from=b:1 /a /a\n", {"b:1"}),
        ("FROM a\nRUN --mount=type=bind,from=b,target=/m ls\n", {"a", "b"}),
        ("FROM a\nRUN --mount=from=b,target=/m ls\n", {"a", "b"}),
        ("# syntax = docker/dockerfile:1\nFROM a\n", {"a", "docker/dockerfile:1"}),
        ("FROM a\nCOPY <<E /x\nFROM b\nE\n", {"a"}),
    ],
)
def test_all_images_of_a_dockerfile_are_found(text: str, found: set[str]) -> None:
    assert images(text.encode(), {}) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1"),
        (b"\xef\xbb\xbf#Syntax = r.example/x:1 \r\nFROM a\n", "r.example/x:1"),
        (b"# escape=`\n# syntax=x/y\nFROM a\n", "x/y"),
        (b"# a comment\n# syntax=x/y\nFROM a\n", None),
        (b"\n# syntax=x/y\nFROM a\n", None),
        (b"FROM a\n# syntax=x/y\n", None),
    ],
)
def test_the_frontend_is_named_before_all_but_directives(content: bytes, found: str | None) -> None:
    assert frontend(content) == found


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("FROM a\nRUN x\n", True),
        ("FROM a\nCOPY a /a\n", False),
        (
            "FROM --platform=$BUILDPLATFORM go AS b\nRUN x\nFROM scratch\nCOPY --from=b /a /a\n",
            False,
        ),
        ("FROM --platform=${BUILDPLATFORM} go AS b\nFROM b AS c\nRUN x\nFROM a\n", False),
        ("FROM --platform=$BUILDPLATFORM go AS b\nRUN x\nFROM a\nRUN y\n", True),
    ],
)
def test_only_a_run_for_the_target_platform_executes_its_programs(text: str, runs: bool) -> None:
    assert runs_programs(text.encode()) is runs


def test_a_build_argument_needs_an_arg() -> None:
    content = b"ARG A=1 B\nFROM a\narg C\nRUN echo ARG D\n"
    assert undeclared(content, ["A", "B", "C", "D"]) == ["D"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\nCOPY *.whl ./\n", [(2, ("*.whl",))]),
        ("FROM a\nADD --chown=1 a?b c/* /x\n", [(2, ("a?b", "c/*"))]),
        ("FROM a\nCOPY package.json lock* ./\n", []),
        ("FROM a\nCOPY --from=b *.whl ./\nCOPY --parents *.x ./\n", []),
        ('FROM a\nCOPY ["*.whl", "./"]\nCOPY $X* ./\nCOPY [a-b]* .\n', []),
        (
            "FROM a AS unused\nCOPY *.x .\nFROM a AS b\nCOPY *.y .\nFROM c\nCOPY --from=b / /\n",
            [(4, ("*.y",))],
        ),
        ("FROM a\nCOPY *.x .\nFROM c\nCOPY --from=0 / /\n", [(2, ("*.x",))]),
    ],
)
def test_copies_with_wildcards_alone_are_found_in_the_stages_that_are_built(
    text: str, found: list[tuple[int, tuple[str, ...]]]
) -> None:
    assert [(item.line, item.sources) for item in wildcard_copies(text.encode())] == found


def test_a_target_leaves_out_the_copies_of_later_stages() -> None:
    content = b"FROM a AS one\nCOPY *.x .\nFROM one AS two\nCOPY *.y .\n"
    assert [item.line for item in wildcard_copies(content, target="one")] == [2]
    assert [item.line for item in wildcard_copies(content, target="TWO")] == [2, 4]
