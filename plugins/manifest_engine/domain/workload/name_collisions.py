"""Name collisions: ``a-b`` with ``c`` and ``a`` with ``b-c`` have one object name.

Whose it is in a namespace, the labels of the live Deployment tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import labels as label


def refuse(component: str, service_name: str, live: Mapping[str, Any] | None) -> None:
    """
    :param component: of the service that is asked for, and ``service_name`` likewise.
    :param live: the Deployment of its name; one that no release put there is not judged.
    :raises ManifestError: when it is another service's, saying whose.
    """
    if live is None or not label.is_ours(live):
        return
    labels = live["metadata"].get("labels") or {}
    owner = labels.get(label.COMPONENT), labels.get(label.NAME)
    if None in owner or owner == (component, service_name):
        return
    raise ManifestError(
        f"{names.object_name(component, service_name)} in namespace "
        f"{live['metadata'].get('namespace')!r} is the service {owner[1]!r} of component "
        f"{owner[0]!r}, not {service_name!r} of {component!r}, which would have the same name; "
        "nothing was changed. Give one of the two another component or serviceName."
    )
