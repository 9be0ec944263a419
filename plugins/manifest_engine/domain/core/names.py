"""All names of a release. Each name follows from the manifest alone.

Limits: the name of a Kubernetes Service is a DNS-1035 label of at most 63 characters (RFC 1035), a
label value has at most 63 (Kubernetes, "Labels and Selectors"), an image reference without its tag
at most 255 in many clients, and a tag at most 128 (OCI distribution specification).
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
"""The tag of the image with the build cache. A version must not have this name."""

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
VERSION = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
"""Valid as an image tag and as the value of the label ``app.kubernetes.io/version``."""

_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9]+")
_PATCHING_SUFFIX = re.compile(r"-[1-9][0-9]{0,2}$")


def suggest_dns_label(text: str) -> str | None:
    """The nearest valid DNS-1123 label, such as ``quote-service`` for ``quoteService``.

    None when the text has no letter or digit.
    """
    words = _NEW_WORD.sub("-", text[: 4 * LABEL_MAX])
    label = _NOT_IN_A_LABEL.sub("-", words.lower()).strip("-")[:LABEL_MAX].strip("-")
    return label or None


def object_name(component: str, service_name: str) -> str:
    """Name of the Deployment, Service and route: ``{component}-{serviceName}``.

    Two services can have the same object name: see ``domain.workload.name_collisions``.
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

    :param seconds: append the seconds, for a second rebuild within the same minute.
    """
    return f"{version}-{moment:%Y%m%d%H%M}{f'{moment:%S}' if seconds else ''}"


def artifact_path(artifact_repository: str, component: str, service_name: str, version: str) -> str:
    """Path of the ZIP when the manifest has no ``artifact``."""
    return (
        f"{artifact_repository}/{component}/{service_name}/{version}/{service_name}-{version}.zip"
    )


def tag_warning(version: str) -> str | None:
    """A sentence when ACR's continuous patching may overwrite this tag, else None."""
    found = _PATCHING_SUFFIX.search(version)
    if not found:
        return None
    return (
        f"version {version!r} ends in {found[0]!r}: ACR's continuous patching owns tags that "
        "end in -1 to -999; a dot or a letter before the number avoids the clash"
    )
