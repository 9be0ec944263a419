"""The packages in an image, read from its bill of materials, and the changes between two images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core import printable

_NAME_MAX = 200
PACKAGES_MAX = 20_000


def packages(sbom: bytes) -> dict[str, str]:
    """Version of each package, by type and name, such as ``pypi/flask``; several versions are
    separated by commas.

    :param sbom: CycloneDX JSON. Source: https://cyclonedx.org/docs/1.6/json/
    :raises ValueError: when the text is not a CycloneDX document.
    """
    document = json.loads(sbom)
    components = document.get("components") if isinstance(document, dict) else None
    if not isinstance(components, list):
        raise ValueError("The bill of materials is not a CycloneDX document.")
    found: dict[str, set[str]] = {}
    for item in components[:PACKAGES_MAX]:
        # Files and the operating system itself have no package URL.
        kind = str(item.get("purl") or "").removeprefix("pkg:").partition("/")[0]
        if kind:
            name = printable.excerpt(f"{kind}/{item.get('name')}", _NAME_MAX)
            version = printable.excerpt(str(item.get("version") or "?"), _NAME_MAX)
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[dict[str, Any]]:
    """The added, removed and changed packages, by name."""
    return [
        {"field": name, "from": old.get(name), "to": new.get(name)}
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
