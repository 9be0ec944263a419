"""Name collisions: ``a-b`` with ``c`` and ``a`` with ``b-c`` have the same object name.

The labels of the live Deployment tell which service owns the name in a namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import labels as label


def refuse(component: str, service_name: str, live: Mapping[str, Any] | None) -> None:
    """Refuse to touch a Deployment that belongs to another service.

    :param component: component of the requested service.
    :param service_name: name of the requested service.
    :param live: the Deployment with the service's object name. A Deployment that Manifest Engine
        did not create is ignored here.
    :raises ManifestError: naming the service that owns the Deployment.
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
