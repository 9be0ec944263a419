"""Namespaces and environments that take no pod that may run as root.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.release.release import Release

_ENFORCE = "pod-security.kubernetes.io/enforce"
_RESTRICTED = "restricted"
_ALLOWED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
_REMEDY = "add `USER 1000` to the Dockerfile"


def plan(release: Release, namespace: Mapping[str, Any] | None) -> Release:
    """The release for its namespace.

    :param namespace: the Namespace; None when it is unknown.
    :raises NotAllowed: when the manifest asks for more than the namespace takes.
    """
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    restricted = labels.get(_ENFORCE) == _RESTRICTED
    asked = release.manifest.security
    if restricted:
        problem = "security.runAsRoot is true" if asked.run_as_root else ""
        if more := sorted(set(asked.capabilities) - _ALLOWED_CAPABILITIES):
            problem = f"security.capabilities has {', '.join(more)}"
        if problem:
            raise NotAllowed(
                f"{problem}, and the namespace {release.environment.cluster.namespace!r} enforces "
                f"the Pod Security level {_RESTRICTED}, which refuses such pods. Change the image "
                "so that it does not need this, or deploy to another environment."
            )
    return release.model_copy(
        update={"non_root": restricted or not release.environment.pods.allow_root}
    )


def require_user(release: Release, user: str) -> None:
    """Refuse an image that may run as root where no pod may.

    Kubernetes can tell only from a number that a user is not root.

    :param user: ``USER`` of the image.
    :raises ManifestError: naming the user and the remedy.
    """
    if not release.non_root:
        return
    name = user.partition(":")[0]
    if name.isdecimal() and int(name):
        return
    who = f"the user {name[:80]!r}, whose number Kubernetes does not know" if name else "root"
    if name in ("0", "root"):
        who = "root"
    raise ManifestError(
        f"The image of {release.name} {release.manifest.version} runs as {who}, and "
        f"{release.environment_name!r} (namespace {release.environment.cluster.namespace!r}) takes "
        f"only pods with a numeric user other than 0: {_REMEDY} (if the ZIP has none, copy "
        "include/Dockerfile to scripts/Dockerfile first), and deploy it under a new version."
    )
