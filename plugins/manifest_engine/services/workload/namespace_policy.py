"""Plans a release for the Pod Security level that its namespace enforces."""

from __future__ import annotations

import logging

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.pod import pod_security
from manifest_engine.domain.release.release import Release
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


def plan(release: Release, log: logging.Logger) -> Release:
    """The release for its namespace, as :func:`pod_security.plan`.

    Without the right to read the namespace, or without the cluster, only the environment's own rule
    holds, and the cluster refuses the pods later.

    :raises NotAllowed: when the manifest asks for more than the namespace takes.
    """
    cluster = release.environment.cluster
    try:
        found = ClusterHook(cluster.connection).api.request(
            "get", "v1", "Namespace", namespace=None, name=cluster.namespace
        )
    except ClusterError as error:
        log.info("The Pod Security level of %s is not known: %s", cluster.namespace, error)
        found = None
    return pod_security.plan(release, found)
