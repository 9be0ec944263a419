"""Every name of a release, derivable by hand from its manifest.

Limits: a Kubernetes Service's name is a DNS-1035 label of at most 63 characters (RFC 1035), label
values have at most 63 (Kubernetes, "Labels and Selectors"), an image reference without tag at most
255 for many clients, a tag at most 128 (OCI distribution specification).
"""

from __future__ import annotations

import re
from datetime import datetime

LABEL_MAX = 63
REFERENCE_MAX = 255
TAG_MAX = 128
IMAGE_PREFIX = "datafactory"
ROUTE_PREFIX = "/datafactory"
CACHE_TAG = "cache"
"""The tag of the image that carries the build cache; never a version."""

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
VERSION = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
"""A tag that is also a label value, since the version stands in ``app.kubernetes.io/version``."""

_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_LABEL = re.compile(r"[^a-z0-9]+")
_PATCHING_OWNS = re.compile(r"-[1-9][0-9]{0,2}$")


def suggest_dns_label(text: str) -> str | None:
    """The nearest valid DNS-1123 label: ``quoteService`` gives ``quote-service``; None if none."""
    words = _NEW_WORD.sub("-", text[: 4 * LABEL_MAX])
    label = _NO_LABEL.sub("-", words.lower()).strip("-")[:LABEL_MAX].strip("-")
    return label or None


def object_name(component: str, service_name: str) -> str:
    """Name of the Deployment, Service and route: ``{component}-{serviceName}``.

    Not always one service's alone: see ``domain.workload.name_collisions``.
    """
    return f"{component}-{service_name}"


def repository(component: str, service_name: str) -> str:
    """Repository, without login server: ``datafactory/{component}/{serviceName}``."""
    return f"{IMAGE_PREFIX}/{component}/{service_name}"


def route_path(component: str, service_name: str) -> str:
    """Path on the environment's host: ``/datafactory/{component}/{serviceName}``."""
    return f"{ROUTE_PREFIX}/{component}/{service_name}"


def rebuild_tag(version: str, moment: datetime, *, seconds: bool = False) -> str:
    """Tag of a rebuild: ``{version}-{UTC yyyymmddHHMM}``; ``moment`` must be in UTC.

    :param seconds: for the second rebuild of a minute, ``{version}-{UTC yyyymmddHHMMSS}``.
    """
    return f"{version}-{moment:%Y%m%d%H%M}{f'{moment:%S}' if seconds else ''}"


def artifact_path(artifact_repository: str, component: str, service_name: str, version: str) -> str:
    """Where the ZIP lies by convention when the manifest names no ``artifact``."""
    return (
        f"{artifact_repository}/{component}/{service_name}/{version}/{service_name}-{version}.zip"
    )


def tag_warning(version: str) -> str | None:
    """A sentence when ACR's continuous patching may take this tag for its own, else None."""
    found = _PATCHING_OWNS.search(version)
    if not found:
        return None
    return (
        f"version {version!r} ends in {found[0]!r}: ACR's continuous patching owns tags that "
        "end in -1 to -999; a dot or a letter before the number avoids the clash"
    )
