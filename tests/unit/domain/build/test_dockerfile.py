"""Mistakes in a Dockerfile that are found before the build."""

import pytest
from manifest_engine.domain.build.dockerfile import has_command, refuse_invalid
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
