"""What differs in the packages of two deployments' images, for the page that compares them."""

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
"""How long the packages of a digest count as known. They never change."""
ROWS_MAX = 500
read = packages.read
readings: Readings[tuple[str, str], dict[str, str]] = Readings(
    "The registry", most=_IMAGES_MAX, fresh_seconds=_IMAGE_SECONDS
)


def compare(
    component: str, service_name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``changes`` of packages, and the ``problem`` if they are not known.

    Takes at most 2 seconds. A reading that takes longer is known at the next request.

    :param before: ``environment`` and ``digest`` of a deployment.
    :param after: of another deployment.
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
