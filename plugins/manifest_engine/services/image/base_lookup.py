"""Looks up the present digest of a base image: in its registry, else on the builders."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.environment.builds import Build
from manifest_engine.domain.image import base_images
from manifest_engine.domain.image.base_images import Current
from manifest_engine.hooks.builder import buildx
from manifest_engine.hooks.builder.hook import BuilderHook
from manifest_engine.hooks.core import bounded
from manifest_engine.hooks.engine.client import write_private
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.image import registry_logins

_log = logging.getLogger(__name__)
_SECONDS = 20
"""Limit for one registry look-up, token included."""
_MORE_TRIES = 2
_PAUSE_SECONDS = 5.0
_FINAL = re.compile(
    r"not found|does not have|denied|unauthorized|forbidden|invalid|no such host", re.IGNORECASE
)
"""Answers that a retry does not change."""


class BaseLookup:
    """Looks up base images as a build with this registry and these builders resolves them.

    :param acr: the environment's registry.
    :param builders: ids of Docker Connections.
    :param rules: names the logins of other registries; further registries are read anonymously.
    """

    def __init__(self, acr: AcrHook, builders: Sequence[str], rules: Build | None = None) -> None:
        self._acr = acr
        self._builders = builders
        self._rules = rules or Build()

    def current(self, reference: str) -> Current:
        """
        :param reference: normalized, with a tag.
        :return: with ``problem`` when the registry does not answer, unless the image exists on the
            builders alone. An image that a builder pulled earlier may be out of date.
        """
        if not base_images.is_normalized(reference):
            # The reference comes from an annotation and goes to the command line of buildx.
            return Current(
                problem=f"Its base image is recorded as {reference[:80]!r}, which is not a "
                "valid image reference, so the service was not rebuilt."
            )
        try:
            digest, problem = self._ask(reference)
            if not digest and (local := self._local(reference)):
                return Current(local)
            for _ in range(_MORE_TRIES):
                if digest or _FINAL.search(problem):
                    break
                # All services on this base image depend on the answer.
                _log.warning("Looking up %s again: %s", reference, problem)
                time.sleep(_PAUSE_SECONDS)
                digest, problem = self._ask(reference)
            if digest:
                return Current(frozenset({digest}), pin=digest)
        except ManifestEngineError as error:
            problem = str(error)
        except Exception as error:  # must not stop the look-up of other images
            _log.exception("Looking up %s failed", reference)
            problem = f"{type(error).__name__}: {error}"
        return Current(
            problem=f"Its base image {reference} could not be looked up, so the service was not "
            f"rebuilt: {problem.rstrip('.')}."
        )

    def _ask(self, reference: str) -> tuple[str | None, str]:
        """The digest in the image's registry, or the problem."""
        if base_images.host(reference) == self._acr.login_server:
            return self._ours(reference)
        return _elsewhere(reference, registry_logins.of(self._rules, [reference]))

    def _ours(self, reference: str) -> tuple[str | None, str]:
        repository = base_images.repository(reference).partition("/")[2]
        found = self._acr.api.manifest(repository, base_images.tag(reference))
        return (found.digest, "") if found else (None, "the registry does not have it")

    def _local(self, reference: str) -> frozenset[str]:
        """Ids of an image that only builders have; empty if a builder pulled the image."""
        found = set()
        for conn_id in self._builders:
            with BuilderHook(conn_id) as builder:
                builder.ping()
                base = builder.local_base(reference)
            if base and base.pulled_as:
                return frozenset()
            if base:
                found.add(base.image_id)
        return frozenset(found)


def _elsewhere(reference: str, logins: Mapping[str, buildx.Login]) -> tuple[str | None, str]:
    """The digest in another registry, or the problem."""
    plugin = buildx.find_plugin()
    with tempfile.TemporaryDirectory(prefix="manifest-engine-") as name:
        config = Path(name)  # mode 0700
        write_private(config / "config.json", buildx.client_config(logins))
        try:
            done = bounded.output(
                buildx.inspect_argv(plugin, reference),
                env=buildx.environment(buildx.Build("", ""), {}, config, os.environ),
                limit=printable.ANSWER_MAX,
                deadline_seconds=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return None, f"{base_images.host(reference)} did not answer within {_SECONDS} s"
    if done.status == 0:
        return str(json.loads(done.stdout)["digest"]), ""
    last = printable.excerpt(done.stderr.strip().rpartition(b"\n")[2])
    return None, last.removeprefix("ERROR: ") or "buildx said nothing"
