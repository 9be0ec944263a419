"""Mistakes in a Dockerfile that BuildKit accepts, or reports without their cause."""

from __future__ import annotations

import re

from manifest_engine.domain.core.errors import BuildError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_COMMAND = re.compile(r"^\s*(CMD|ENTRYPOINT)\s+(.*)$", re.IGNORECASE)
_STAGE = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*\S+(?:\s+AS\s+(\S+))?", re.IGNORECASE)


def refuse_invalid(content: bytes, name: str, *, target: str | None = None) -> None:
    """Refuse a Dockerfile that cannot give a service.

    :param name: name of the Dockerfile in the error.
    :param target: the stage to build; None for the last stage.
    :raises BuildError: naming the mistake. A retry cannot help.
    """
    if content.startswith(_UTF16) or b"\0" in content:
        raise BuildError(
            f"The image could not be built: {name} is UTF-16 or binary, as PowerShell's `>` writes "
            "it; save it as UTF-8."
        )
    if not content.removeprefix(_BOM).strip():
        raise BuildError(
            f"The image could not be built: {name} is empty; write its instructions, or remove it "
            "to build with the standard Dockerfile."
        )
    for line, instruction, command in _commands(content, target):
        if command.startswith("['"):
            raise BuildError(
                f"The image could not be built: {name}, line {line} ({instruction}): "
                f"{command[:80]} has single quotes, so it is not JSON and the shell takes it as "
                f"one word; write {instruction} {command[:80].replace(chr(39), chr(34))}."
            )


def has_command(content: bytes, *, target: str | None = None) -> bool:
    """Whether the stage has a CMD or ENTRYPOINT of its own. A base image can have one as well."""
    return bool(_commands(content, target))


def _commands(content: bytes, target: str | None) -> list[tuple[int, str, str]]:
    """Line, instruction and command of each CMD and ENTRYPOINT of the stage."""
    found: list[tuple[int, str, str]] = []
    wanted = False
    for number, line in enumerate(content.decode(errors="replace").split("\n"), 1):
        if stage := _STAGE.match(line):
            if wanted and target:
                break
            wanted = not target or (stage[1] or "").casefold() == target.casefold()
            found = []
        elif wanted and (command := _COMMAND.match(line)):
            found.append((number, command[1].upper(), command[2].strip()))
    return found if wanted else []
