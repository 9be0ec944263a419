"""Explain why a build failed, in one sentence for the person who can fix it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from manifest_engine.domain.build.recipe import PIP_SECRET, UV_SECRET
from manifest_engine.domain.core import error_text, printable
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder.build_output import BuildOutput


class _Cause(NamedTuple):
    pattern: re.Pattern[str]
    sentence: Callable[[re.Match[str]], str]
    retryable: bool = False


def _after(words: str) -> str:
    """A pattern for the first occurrence of these words, matched in linear time."""
    return rf"\A(?>.*?{words})"


def _cause(pattern: str, sentence: str, *, retryable: bool = False) -> _Cause:
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Cause(compiled, lambda found: sentence.format(*found.groups()), retryable)


_MOUNT = re.compile(r"--mount=\S++\s*+")
_DISK_FULL = _cause(
    r"no space left on device",
    "its disk is full: free some (docker builder prune), or give it more",
    retryable=True,
)
_ENGINE_CAUSES = (
    _cause(
        r"cannot connect to the docker daemon|error during connect|code = unavailable"
        r"|error reading from server|connection reset by peer|broken pipe|use of closed network"
        r"|graceful_?stop|context canceled|closing transport|unexpected eof",
        "the engine went away during the build (restarted, or out of reach)",
        retryable=True,
    ),
    _cause(
        r"unknown flag: --(\S+)",
        "its buildx is too old to know --{0}: install docker-buildx 0.13 or newer",
    ),
    _cause(
        r"client version (\S+) is too (?:new|old)",
        "client and engine do not fit (API version {0}): install Docker Engine 23 or newer",
    ),
)
"""Causes outside the service; each sentence follows "on the builder NAME: "."""

_NETWORK = rf"{error_text.NETWORK}|\b50[0234] (?:server error|internal|bad gateway|service|gateway)"
_REGISTRY_AWAY = rf"(?>.*?(?:{_NETWORK}|{error_text.CUT_OFF}))"

_SOURCE_CAUSES = (
    _cause(
        r'source "docker-image://(\S+)" denied by policy',
        "the environment does not allow the image {0}: use one that build.allowedBases in "
        "environments.yaml allows, or have it added there",
    ),
    _cause(
        r'source "((?:https?|git)://\S+)" denied by policy',
        "the builder may not fetch {0}, since the environment restricts the network of builds "
        "(build.network: restricted in environments.yaml): put it into the ZIP, or download it in "
        "a RUN",
    ),
    _cause(
        _after(r"failed to resolve source metadata for (\S+): ") + _REGISTRY_AWAY,
        "the registry of the base image {0} cannot be reached from the builder",
        retryable=True,
    ),
    _cause(
        _after("(?:failed to do request|httpReadSeeker|failed to copy): ") + _REGISTRY_AWAY,
        "the registry of a base image cannot be reached from the builder, or breaks off",
        retryable=True,
    ),
)
"""A base image or another source that BuildKit could not fetch. Only the final error of buildx is
searched, and before the causes of the engine: BuildKit pulls base images over HTTP, and a broken
connection has the same message in both cases."""

_STEP_CAUSES = (
    _cause(
        rf"secret {PIP_SECRET}: not found|needs the secret (?:{PIP_SECRET}|{UV_SECRET})",
        "it needs the private package index, which this build is not offered: name utilsVersion in "
        "the manifest, or set packageIndex with offeredTo: all in environments.yaml",
    ),
    _cause(
        r"401 error, credentials not correct for (\S+)",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
    ),
    _cause(
        r"failed to resolve source metadata for (\S+):",
        "the base image {0} cannot be had: correct FROM, or let the registry's login read it",
    ),
    _cause(_NETWORK, "a server that it needs could not be reached", retryable=True),
    _cause(
        r"an index \((\S+)\) returned a 40[13]",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
    ),
    _cause(
        r"because (\S+) was not found in the package registry",
        "no package index has a package {0}: correct its name, or have it uploaded",
    ),
    _cause(
        r"no matching distribution found for (.+)",
        "pip finds no package {0}: correct its name or version, or see whether the index has it "
        "for this Python",
    ),
    _cause(r"invalid requirement: (.+)", "pip cannot read the requirement {0}: correct it"),
    _cause(
        _after("cannot install ")
        + "(.+?) because these package versions have conflicting dependencies",
        "pip cannot install {0} together: loosen or align their versions",
    ),
    _cause(
        r"failed (?:building wheel for|to build) ['\"]?([\w.-]+)",
        "pip cannot build the package {0} from source: choose a version with a wheel, or install "
        "what it needs in an own scripts/Dockerfile",
    ),
    _cause(
        r'"(/[^"]+)": not found',
        "{0} is not in the ZIP (paths count from its root): add it, or correct the line",
    ),
    _cause(_after("dockerfile parse error") + "(?>.*?: )(.+)", "{0}"),
    _cause(r"exit code: 137", "it was killed (exit code 137), most likely for want of memory"),
    _cause(r"did not complete successfully: exit code: (\d+)", "it ended with exit code {0}"),
)
"""Causes of a failed step. The error names Dockerfile, line and instruction before the sentence."""


def failure(output: BuildOutput, *, builder: str, dockerfile: str) -> BuildError:
    """Create the error for the output of a failed build.

    :param builder: connection id.
    :param dockerfile: name of the Dockerfile in the error.
    """
    last = [output.error]
    everything = [*last, *reversed(output.tail)]
    source_refused = any(_first(cause, last) for cause in _SOURCE_CAUSES)
    engine_causes = () if source_refused else _ENGINE_CAUSES
    for cause, texts in [(_DISK_FULL, everything), *((c, last) for c in engine_causes)]:
        if found := _first(cause, texts):
            return BuildError(
                f"The image could not be built on the builder {builder!r}: "
                f"{cause.sentence(found)}.",
                retryable=cause.retryable,
            )
    if not output.steps and not output.place and not source_refused:
        why = output.error or "buildx ended without saying why"
        return BuildError(
            f"The image could not be built on the builder {builder!r}: {why}.", retryable=True
        )
    where = dockerfile
    if output.place:
        where += f", line {output.place[1]}"
    if output.instruction:
        where += f" ({_short(output.instruction)})"
    for cause, texts in [
        *((c, last) for c in _SOURCE_CAUSES),
        *((c, everything) for c in _STEP_CAUSES),
    ]:
        if found := _first(cause, texts):
            why, retryable = cause.sentence(found), cause.retryable
            break
    else:
        why, retryable = output.error or "the build ended without saying why", False
    sentence = f"The image could not be built: {where}: {why}."
    if output.tail:
        sentence += " Last lines of its output:\n" + "\n".join(
            f"  {printable.line(line, printable.EXCERPT_MAX)}" for line in output.tail
        )
    return BuildError(sentence, retryable=retryable)


def _first(cause: _Cause, texts: list[str]) -> re.Match[str] | None:
    return next((found for text in texts if (found := cause.pattern.search(text))), None)


def _short(instruction: str) -> str:
    instruction = _MOUNT.sub("", instruction).rstrip("\\ ")
    return instruction if len(instruction) <= 80 else instruction[:79] + "…"
