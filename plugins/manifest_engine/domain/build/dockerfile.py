"""Reads a Dockerfile before the build: finds mistakes, images, arguments and the frontend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from manifest_engine.domain.core.errors import BuildError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(\S.*)$")
_STAGE = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_ARGUMENT = re.compile(r"^(\w+)(?:=(\S+))?")
_FROM_FLAG = re.compile(r"(?:--|[=,])from=([^\s,]+)")
"""The image of ``COPY --from=`` or of ``RUN --mount=type=bind,from=``."""
_HEREDOC = re.compile(r"<<-?([\"']?)(\w+)\1")
_DIRECTIVE = re.compile(r"^#\s*([A-Za-z][\w-]*)\s*=\s*(\S+)")
_VARIABLE = re.compile(r"\$\{?(\w+)(?::-([^}]*))?\}?")
_REFERENCE_MAX = 1024
"""Limit for an image reference and for the value of an argument, in characters; registries allow
255 for a repository. Longer texts are cut, because nested arguments could fill the memory."""
_NOT_PLAIN = frozenset("[]\\\"'$<:")
"""Characters in a source of COPY that mean more than a path with wildcards."""
_STATEMENT_MAX = 64 << 10
"""Limit for one instruction on several lines, in characters; the rest is ignored."""


@dataclass(frozen=True, slots=True)
class _Instruction:
    line: int
    name: str
    """In upper case."""
    rest: str


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    """In lower case; empty for a stage without a name."""
    image: str
    """The image after FROM: arguments are filled in, earlier stages are not."""
    options: str


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
    for command in _commands(content, target):
        if command.rest.startswith("['"):
            said = command.rest[:80]
            raise BuildError(
                f"The image could not be built: {name}, line {command.line} ({command.name}): "
                f"{said} has single quotes, so it is not JSON and the shell takes it as one word; "
                f"write {command.name} {said.replace(chr(39), chr(34))}."
            )


def has_command(content: bytes, *, target: str | None = None) -> bool:
    """Whether the stage itself has a CMD or ENTRYPOINT, apart from those of its base image."""
    return bool(_commands(content, target))


def runs_programs(content: bytes) -> bool:
    """Whether the build executes programs of the target platform.

    Stages with ``FROM --platform=$BUILDPLATFORM`` execute programs of the builder's platform.
    """
    native: set[str] = set()
    stage_is_native = False
    for step in _instructions(content):
        if step.name == "FROM" and (stage := _stage(step, {})):
            stage_is_native = "BUILDPLATFORM" in stage.options or stage.image.lower() in native
            if stage_is_native:
                native.add(stage.name)
        elif step.name == "RUN" and not stage_is_native:
            return True
    return False


def undeclared(content: bytes, arguments: Iterable[str]) -> list[str]:
    """The build arguments without effect, because no ARG of the Dockerfile declares them."""
    declared: set[str] = set()
    for step in _instructions(content):
        if step.name == "ARG":
            declared |= {word.partition("=")[0] for word in step.rest.split()}
    return sorted(set(arguments) - declared)


def base_image(
    content: bytes, build_args: Mapping[str, str], *, target: str | None = None
) -> str | None:
    """The base image of a stage, resolved through earlier stages; None when unknown.

    :param target: the stage; None for the last stage.
    """
    stages: dict[str, str] = {}
    base: str | None = None
    known = _global_arguments(content, build_args)
    for step in _instructions(content):
        if step.name == "FROM" and (stage := _stage(step, known)):
            base = stages.get(stage.image.lower(), stage.image)
            if target and stage.name == target.casefold():
                return base or None
            if stage.name:
                stages[stage.name] = base
    return None if target else base or None


def images(content: bytes, build_args: Mapping[str, str]) -> set[str]:
    """The image references in a Dockerfile, including the frontend, without the names of stages.

    References with arguments that only BuildKit knows are missing.
    """
    known = _global_arguments(content, build_args)
    stages: set[str] = set()
    found: set[str] = set()
    for step in _instructions(content):
        if step.name == "FROM":
            if stage := _stage(step, known):
                found |= {stage.image} - stages
                stages.add(stage.name)
        elif step.name in ("COPY", "RUN"):
            found |= {item for item in _FROM_FLAG.findall(step.rest) if item.lower() not in stages}
    frontend_image = frontend(content)
    return (found | ({frontend_image} if frontend_image else set())) - {"", "scratch"}


def frontend(content: bytes) -> str | None:
    """The image of the line ``# syntax=``; None without such a line.

    Only other directives may stand before the line
    (https://docs.docker.com/reference/dockerfile/#parser-directives).
    """
    for line in content.removeprefix(_BOM).split(b"\n", 20)[:20]:
        directive = _DIRECTIVE.match(line.decode(errors="replace").strip())
        if directive is None:
            return None
        if directive[1].lower() == "syntax":
            return directive[2][:_REFERENCE_MAX]
    return None


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY or ADD whose sources all have wildcards."""

    line: int
    instruction: str
    sources: tuple[str, ...]
    """Paths in the build context."""


def wildcard_copies(content: bytes, *, target: str | None = None) -> list[Copy]:
    """The copies in all stages that the built stage needs. BuildKit accepts wildcards without a
    match."""
    stages: list[_Parts] = []
    for step in _instructions(content):
        if step.name == "FROM" and (stage := _stage(step, {})):
            stages.append(_Parts(stage.name, {stage.image.lower()}, []))
        elif stages and step.name in ("COPY", "ADD", "RUN"):
            stages[-1].needs.update(item.lower() for item in _FROM_FLAG.findall(step.rest))
            if step.name != "RUN" and (copy := _wildcard_copy(step)):
                stages[-1].copies.append(copy)
    wanted = {target.casefold()} if target else {str(len(stages) - 1)}
    found: list[Copy] = []
    for number, parts in reversed(list(enumerate(stages))):
        if wanted & {parts.name, str(number)} - {""}:
            wanted |= parts.needs
            found = [*parts.copies, *found]
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """A stage: its name, the images and stages that it needs, and its copies."""

    name: str
    needs: set[str]
    copies: list[Copy]


def _wildcard_copy(step: _Instruction) -> Copy | None:
    words = step.rest.split()
    flags = [word for word in words if word.startswith("--")]
    *sources, _ = [word for word in words if not word.startswith("--")] or [""]
    plain = not any(set(word) & _NOT_PLAIN for word in sources)
    if any(flag.startswith(("--from", "--parents")) for flag in flags) or not (sources and plain):
        return None
    if not all("*" in word or "?" in word for word in sources):
        return None
    return Copy(step.line, f"{step.name} {step.rest}", tuple(sources))


def _commands(content: bytes, target: str | None) -> list[_Instruction]:
    """The CMD and ENTRYPOINT instructions of the stage."""
    found: list[_Instruction] = []
    wanted = False
    for step in _instructions(content):
        if step.name == "FROM" and (stage := _stage(step, {})):
            if wanted and target:
                break
            wanted = not target or stage.name == target.casefold()
            found = []
        elif wanted and step.name in ("CMD", "ENTRYPOINT"):
            found.append(step)
    return found if wanted else []


def _stage(step: _Instruction, known: Mapping[str, str]) -> _Stage | None:
    found = _STAGE.match(step.rest)
    if found is None:
        return None
    filled = _VARIABLE.sub(lambda m: known.get(m[1]) or m[2] or "", found[1][:_REFERENCE_MAX])
    options = step.rest[: found.start(1)]
    return _Stage((found[2] or "").lower(), filled[:_REFERENCE_MAX], options)


def _global_arguments(content: bytes, build_args: Mapping[str, str]) -> dict[str, str]:
    """The arguments before the first FROM, with their values."""
    known: dict[str, str] = {}
    for step in _instructions(content):
        if step.name == "FROM":
            break
        if step.name == "ARG" and (found := _ARGUMENT.match(step.rest)):
            default = (found[2] or "").strip("\"'")
            known[found[1]] = build_args.get(found[1], default[:_REFERENCE_MAX])
    return known


def _instructions(content: bytes) -> Iterator[_Instruction]:
    """The instructions outside heredocs, each joined to one line."""
    text = content.removeprefix(_BOM).decode(errors="replace")
    begun, words = 0, ""
    for number, line in _outside_heredocs(text.split("\n")):
        stripped = line.strip()
        if stripped.startswith("#") or (words and not stripped):
            continue
        begun = begun if words else number
        if len(words) < _STATEMENT_MAX:
            words += stripped.removesuffix("\\")
        if stripped.endswith("\\"):
            continue
        if found := _INSTRUCTION.match(words):
            yield _Instruction(begun, found[1].upper(), found[2].strip())
        words = ""
    if found := _INSTRUCTION.match(words):
        yield _Instruction(begun, found[1].upper(), found[2].strip())


def _outside_heredocs(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Number and text of each line outside heredocs. A heredoc without an end counts as lines."""
    last = {line.strip(): number for number, line in enumerate(lines)}
    ends: list[str] = []
    for number, line in enumerate(lines):
        if ends:
            if line.strip() == ends[-1]:
                ends.pop()
            continue
        yield number + 1, line
        begun = (found[2] for found in _HEREDOC.finditer(line))
        ends = [word for word in begun if last.get(word, -1) > number][::-1]
