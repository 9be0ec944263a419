"""All problems of a manifest at once, each with the place in the JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from manifest_engine.domain.core import printable, problems
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import permitted, run_conf
from manifest_engine.domain.manifest.manifest import Manifest

_PROBLEMS_MAX = 50
_SENTENCE_MAX = 500


@dataclass(frozen=True)
class Problem:
    """One problem of a manifest."""

    pointer: str
    """JSON pointer (RFC 6901) to the value; empty for the whole manifest."""
    detail: str
    """A sentence, with the nearest valid key or form."""

    def dump(self) -> dict[str, str]:
        """As JSON-compatible data."""
        return asdict(self)


def check(
    conf: Mapping[str, Any], configured: dict[str, Environment]
) -> tuple[Manifest | None, list[Problem]]:
    """Judge a manifest by the model and by its environment's rules, without the cluster.

    :param configured: the environments, by name.
    :return: the manifest if the model accepts it, and at most 50 problems.
    """
    try:
        run_conf.require_small(conf)
        run_conf.require_printable(conf)
    except ManifestError as error:
        return None, [Problem("", str(error))]
    given = {key: value for key, value in conf.items() if value is not None}
    try:
        manifest = Manifest.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)[:_PROBLEMS_MAX]
        return None, [
            Problem(
                pointer(item["loc"]),
                printable.excerpt(problems.sentence(item, Manifest), _SENTENCE_MAX),
            )
            for item in found
        ]
    if manifest.rebuild is not None:
        return manifest, [Problem("/rebuild", "rebuild is set by rebuild_services alone.")]
    try:
        environment = environments.find(manifest.environment, configured)
    except ManifestError as error:
        return manifest, [Problem("/environment", str(error))]
    try:
        permitted.require(manifest, environment)
    except NotAllowed as error:
        return manifest, [Problem("", str(error))]
    return manifest, []


def pointer(place: tuple[str | int, ...]) -> str:
    """A JSON pointer (RFC 6901), at most 300 characters."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return printable.excerpt("".join(f"/{step}" for step in steps), 300)
