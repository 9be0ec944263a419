"""What a pod reads at its start besides its image: Secrets and ConfigMaps, by their versions.

The pod template carries the versions as an annotation, so a redeploy after a change starts new
pods. ``resourceVersion`` tells nothing about the content; a hash of a short value could be guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release.release import Release

REFERENCES_MAX = 50
"""Secrets and ConfigMaps whose versions are recorded; each takes one request."""

Json = Mapping[str, Any]


def references(spec: Json) -> list[tuple[str, str]]:
    """Kind and name of each Secret and ConfigMap that the containers and volumes of a pod read."""
    read = {key: spec.get(key) or [] for key in ("containers", "initContainers", "volumes")}
    return sorted(set(_references(read)))[:REFERENCES_MAX]


def versions(live: Json | None) -> dict[str, str]:
    """The versions that the live Deployment's pod template records, by ``Kind/name``."""
    try:
        found = json.loads(_annotations(live).get(annotation.READS, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def pod_annotations(release: Release, live: Json | None, read: Mapping[str, str]) -> dict[str, str]:
    """Annotations of the pod template that make a redeploy start new pods.

    The restart of a former run stays recorded: without it, each later run would start new pods.

    :param live: the live Deployment.
    :param read: the version of each Secret and ConfigMap, by ``Kind/name``.
    """
    found = {}
    if read:
        found[annotation.READS] = json.dumps(dict(sorted(read.items())), separators=(",", ":"))
    if release.manifest.restart:
        found[annotation.RESTARTED_AT] = release.requested_at.isoformat()
    elif before := _annotations(live).get(annotation.RESTARTED_AT):
        found[annotation.RESTARTED_AT] = before
    return found


def _annotations(live: Json | None) -> dict[str, str]:
    template = ((live or {}).get("spec") or {}).get("template")
    return annotation.read_annotations(template)


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            kind = _KINDS.get(key)
            name = kind and isinstance(item, dict) and (item.get("name") or item.get("secretName"))
            if kind and name:
                yield kind, name
            else:
                yield from _references(item)


_KINDS = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "secret": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
}
"""Fields of a container or volume (core/v1) that name a Secret or ConfigMap."""
