"""Which sources a Dockerfile may use, as BuildKit's source policy.

BuildKit checks every source of a build against the policy, whichever instruction names the source:
``FROM``, ``COPY --from``, ``RUN --mount=from``, ``ADD`` or ``# syntax``. Arguments are expanded
first. The last rule that matches decides (moby/buildkit, sourcepolicy/engine.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from manifest_engine.domain.environment.builds import Build
from manifest_engine.domain.image import base_images

_EVERYTHING = {"identifier": ".*", "match_type": "REGEX"}
_CONTEXT = ("local://*", "http://buildkit-session/*")
"""The build context: files of the client, or a tar on the client's standard input, which BuildKit
requests by this URL (moby/buildkit, session/upload/uploadprovider)."""
_URLS = ("http://*", "https://*", "git://*")
"""BuildKit uses ``git://`` for every Git repository, whatever the protocol."""


def source_policy(build: Build, pins: Mapping[str, str]) -> str:
    """The policy of one build as JSON; empty when the environment has no restriction.

    :param pins: digest by base image (:class:`manifest_engine.hooks.builder.buildx.Build`).
    """
    if not build.restricts_sources:
        return ""
    allowed = list(_CONTEXT)
    if build.allowed_bases is None:
        allowed.append("docker-image://*")
    else:
        images = [*_references(build.allowed_bases), *_pinned(build.allowed_bases, pins)]
        if build.syntax_mirror:
            images += [f"{build.syntax_mirror}/docker/dockerfile*"]
        allowed += [f"docker-image://{image}" for image in images]
    if build.network != "restricted":
        # BuildKit fetches URLs from the engine's own network, which `restricted` does not cover.
        allowed += _URLS
    rules = [{"action": "DENY", "selector": _EVERYTHING}]
    rules += [{"action": "ALLOW", "selector": {"identifier": item}} for item in allowed]
    return json.dumps({"rules": rules})


def _references(patterns: Iterable[str]) -> Iterable[str]:
    """The references that each pattern allows: with a digest, and with any tag if it has no tag."""
    for pattern in patterns:
        yield pattern
        yield f"{pattern}@*"
        if not _has_tag(pattern):
            yield f"{pattern}:*"


def _pinned(patterns: Iterable[str], pins: Mapping[str, str]) -> Iterable[str]:
    """The references by digest with which a rebuild replaces an allowed base image."""
    known = list(_references(patterns))
    for base, digest in sorted(pins.items()):
        if any(fnmatchcase(base_images.normalized(base), pattern) for pattern in known):
            yield f"{base_images.repository(base)}@{digest}"


def _has_tag(pattern: str) -> bool:
    return ":" in pattern.rpartition("/")[2]
