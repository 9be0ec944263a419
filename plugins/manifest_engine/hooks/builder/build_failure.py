"""Explain why a build failed, in one sentence for the person who can fix it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from manifest_engine.domain.build.build_hints import BuildHints
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder import build_causes
from manifest_engine.hooks.builder.build_causes import Cause
from manifest_engine.hooks.builder.build_output import BuildOutput

_MOUNT = re.compile(r"--mount=\S++\s*+")
_DISK_FULL = re.compile(
    r"(?::|errno 28\]|enospc:) no space left on device|don't have enough free space in (?=/)",
    re.IGNORECASE,
)
_PATH = re.compile(r"/[\w./+-]++")
_NOT_FOUND = re.compile(r'"(/[^"\n]++)": not found')
_COPY_FROM = re.compile(r"--from=(\S++)")
_NOT_STARTED = re.compile(
    r"(?:^|: |exec: \")([\w./+-]++)\"?: (not found|permission denied|cannot execute"
    r"|no such file or directory)",
    re.IGNORECASE,
)
"""A program that dash, bash or runc cannot start."""
_IN_SCRIPT = re.compile(r"^([\w./+-]++): (?:line )?\d++: ", re.IGNORECASE)
"""An error with the name of the script and the line, in the words of dash or bash."""


def failure(
    output: BuildOutput,
    *,
    builder: str,
    dockerfile: str,
    hints: BuildHints | None = None,
    frontend: str = "",
) -> BuildError:
    """Create the error for the output of a failed build.

    :param builder: connection id.
    :param dockerfile: name of the Dockerfile in the error.
    :param hints: what the artifact says about the failure.
    :param frontend: the image of the line ``# syntax=``.
    """
    is_frontend = output.instruction.casefold().startswith("# syntax") or bool(
        frontend and f"source metadata for {frontend}: " in output.error
    )
    if not is_frontend and (error := _outside_error(output, builder)):
        return error
    where = dockerfile
    if output.place:
        where += f", line {output.place[1]}"
    if output.instruction:
        where += f" ({_short(output.instruction)})"
    why, retryable = _why(output, builder, hints, is_frontend=is_frontend)
    sentence = f"The image could not be built: {where}: {why}."
    if output.tail:
        sentence += " Last lines of its output:\n" + "\n".join(
            f"  {printable.line(line, printable.EXCERPT_MAX)}" for line in output.tail
        )
    return BuildError(sentence, retryable=retryable)


def silent_registry(image: str, *, builder: str, seconds: float, frontend: str = "") -> BuildError:
    """Create the error for a build that was stopped because a registry did not answer.

    :param image: the image that BuildKit requested.
    """
    if image == frontend:
        what = f"{image}, which the line `# syntax=` names,"
        remedy = build_causes.WITHOUT_FRONTEND
    else:
        what = f"the base image {image}"
        remedy = "Correct the name, or let the builder reach the registry"
    return BuildError(
        f"The image could not be built: the registry of {what} did not answer the builder "
        f"{builder!r} within {seconds:.0f} s. {remedy}.",
        retryable=True,
    )


def _outside_error(output: BuildOutput, builder: str) -> BuildError | None:
    """The error of a builder that failed; None when the output points to the service.

    An error with a place in the Dockerfile, or with output of a step, is never the engine's.
    """
    if output.place or output.tail:
        return None
    groups = (build_causes.POLICY, build_causes.SOURCES, build_causes.DOCKERFILE)
    if any(_first(group, [output.error]) for group in groups):
        return None
    if explained := _first(build_causes.ENGINE, [output.error]):
        why, retryable = explained
    elif not output.steps:
        why, retryable = output.error or "buildx ended without saying why", True
    else:
        return None
    return BuildError(
        f"The image could not be built on the builder {builder!r}: {why}.", retryable=retryable
    )


def _why(
    output: BuildOutput, builder: str, hints: BuildHints | None, *, is_frontend: bool
) -> tuple[str, bool]:
    """The cause, and whether a retry can help."""
    lines = [*reversed(output.recent)]
    instruction = output.instruction.casefold()
    if full := _disk_full([output.error, *lines], output.instruction, builder):
        return full
    if lacking := _not_in_stage(output):
        return lacking, False
    if hints and (hint := _hint(output, lines, hints)):
        return hint, False
    final = [build_causes.POLICY, build_causes.SOURCES, build_causes.DOCKERFILE]
    if is_frontend:
        final.insert(1, build_causes.FRONTEND)
    elif instruction.startswith("add "):
        final.insert(0, build_causes.ADD)
    for group in final:
        if explained := _first(group, [output.error]):
            return explained
    # Some causes span several lines, so the last text is the whole output.
    texts = [output.error, *lines, "\n".join(output.recent)]
    unknown = output.error or "the build ended without saying why"
    return _first(build_causes.STEPS, texts) or (unknown, False)


def _first(causes: Iterable[Cause], texts: list[str]) -> tuple[str, bool] | None:
    """The first cause in the order of the table, whichever text has it."""
    for cause in causes:
        for text in texts:
            if sentence := cause.explain(text):
                return sentence, cause.retryable
    return None


def _disk_full(texts: list[str], instruction: str, builder: str) -> tuple[str, bool] | None:
    """A full disk: the builder's, or a file system in memory that the step has for itself."""
    full = [text for text in texts if _DISK_FULL.search(text)]
    if not full:
        return None
    own = [*_tmpfs_targets(instruction), "/dev"]
    paths = [path for text in full for path in _PATH.findall(text)]
    for path in paths or own[:-1]:
        if place := next((item for item in own if f"{path}/".startswith(f"{item}/")), None):
            return (
                f"no space left in {place}, which is memory of this step alone: write less there, "
                "give the tmpfs a larger size, or write to a folder of the image",
                False,
            )
    return (
        f"no space left on device, on the builder {builder!r}: {build_causes.DISK_FULL.sentence}",
        True,
    )


def _tmpfs_targets(instruction: str) -> Iterator[str]:
    for mount in _MOUNT.findall(instruction):
        options = mount.strip().removeprefix("--mount=").split(",")
        if "type=tmpfs" in options:
            for option in options:
                key, _, value = option.partition("=")
                if key in ("target", "dst", "destination") and value.startswith("/"):
                    yield value.rstrip("/")


def _not_in_stage(output: BuildOutput) -> str | None:
    """The cause, if ``COPY --from`` does not find a path."""
    missing, source = _NOT_FOUND.search(output.error), _COPY_FROM.search(output.instruction)
    if not missing or not source or not output.instruction.casefold().startswith("copy "):
        return None
    return f"{missing[1]} is not in {source[1]!r}, which --from names: correct the path"


def _hint(output: BuildOutput, lines: list[str], hints: BuildHints) -> str | None:
    """What the artifact says about the failure."""
    if found := _NOT_FOUND.search(output.error):
        return hints.missing_file(found[1])
    for line in [*lines, output.error]:
        if (found := _NOT_STARTED.search(line)) and (
            flaw := hints.script_flaw(found[1], denied="permission" in found[2].casefold())
        ):
            return flaw
        if (found := _IN_SCRIPT.search(line)) and (flaw := hints.script_flaw(found[1])):
            return flaw
    return hints.heredoc_flaw(output.instruction) if output.tail else None


def _short(instruction: str) -> str:
    instruction = _MOUNT.sub("", instruction).rstrip("\\ ")
    return instruction if len(instruction) <= 80 else instruction[:79] + "…"
