"""What a Dockerfile may bring into a build, as BuildKit's source policy.

BuildKit checks every source of a build against the policy, whichever instruction names the source:
``FROM``, ``COPY --from``, ``RUN --mount=from``, ``ADD`` and ``# syntax``, after it has filled in
arguments (moby/buildkit, sourcepolicy/engine.go: the last rule that matches decides).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from manifest_engine.domain.environment.environment import Build
from manifest_engine.domain.image import base_images

_EVERYTHING = {"identifier": ".*", "match_type": "REGEX"}
_CONTEXT = ("local://*", "http://buildkit-session/*")
"""The build context: files of the client, or a tar on its standard input, which BuildKit asks of
the client under this name (moby/buildkit, session/upload/uploadprovider)."""
_URLS = ("http://*", "https://*", "git://*")
"""BuildKit names every Git repository ``git://``, whatever its protocol."""


def source_policy(build: Build, pins: Mapping[str, str]) -> str:
    """The policy of one build as JSON; empty when the environment restricts nothing.

    :param pins: digest by base image (:class:`manifest_engine.hooks.builder.buildx.Build`).
    """
    if not build.restricts_sources:
        return ""
    allowed = list(_CONTEXT)
    if build.allowed_bases is None:
        allowed.append("docker-image://*")
    else:
        images = [*_references(build.allowed_bases), *_pinned(build.allowed_bases, pins)]
        allowed += [f"docker-image://{image}" for image in images]
    if build.network != "restricted":
        # BuildKit fetches URLs on the engine's own network, where no rule for containers applies.
        allowed += _URLS
    rules = [{"action": "DENY", "selector": _EVERYTHING}]
    rules += [{"action": "ALLOW", "selector": {"identifier": item}} for item in allowed]
    return json.dumps({"rules": rules})


def _references(patterns: Iterable[str]) -> Iterable[str]:
    """What a pattern stands for: a name without a tag for every tag, and each tag by digest too."""
    for pattern in patterns:
        yield pattern
        yield f"{pattern}@*"
        if not _has_tag(pattern):
            yield f"{pattern}:*"


def _pinned(patterns: Iterable[str], pins: Mapping[str, str]) -> Iterable[str]:
    """A rebuild names its bases by digest alone; the name that it replaces must be allowed."""
    known = list(_references(patterns))
    for base, digest in sorted(pins.items()):
        if any(fnmatchcase(base_images.normalized(base), pattern) for pattern in known):
            yield f"{base_images.repository(base)}@{digest}"


def _has_tag(pattern: str) -> bool:
    return ":" in pattern.rpartition("/")[2]
