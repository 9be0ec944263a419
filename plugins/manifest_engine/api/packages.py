"""Compares the packages in the images of two deployments, for the page of a service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from manifest_engine.domain.environment import environments
from manifest_engine.domain.image import packages as image_packages
from manifest_engine.services.image import packages
from manifest_engine.services.record.readings import Readings

_IMAGES_MAX = 40
_IMAGE_SECONDS = 86_400.0
"""How long the packages of a digest are cached; the packages of a digest never change."""
ROWS_MAX = 500
read = packages.read
readings: Readings[tuple[str, str], dict[str, str]] = Readings(
    "The registry", most=_IMAGES_MAX, fresh_seconds=_IMAGE_SECONDS
)


def compare(
    component: str, service_name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``changes`` of packages, or the ``problem`` if the packages are not known.

    Takes at most 2 seconds; a slower answer of the registry is used by the next request.

    :param before: ``environment`` and ``digest`` of a deployment.
    :param after: the same of another deployment.
    """
    configured = environments.load()
    sides = [(str(item["environment"]), str(item["digest"])) for item in (before, after)]
    if missing := [name for name, _ in sides if name not in configured]:
        return {"changes": [], "problem": f"The environment {missing[0]!r} is not configured."}
    known = readings.get(
        {
            (name, digest): partial(read, configured[name], component, service_name, digest)
            for name, digest in sides
        }
    )
    problem = next((item.problem for side in sides if (item := known[side]).value is None), None)
    old, new = (known[side].value or {} for side in sides)
    changes = [] if problem else image_packages.difference(old, new)[:ROWS_MAX]
    return {"changes": changes, "problem": problem}
