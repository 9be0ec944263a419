"""Looks up the versions of the Secrets and ConfigMaps that the pods of a release read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload import pod_inputs
from manifest_engine.domain.workload.pod import pod_spec
from manifest_engine.hooks.kubernetes.errors import Forbidden

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook


def pod_annotations(
    hook: ClusterHook,
    release: Release,
    live: dict[str, Any] | None,
    log: logging.Logger,
) -> dict[str, str]:
    """Annotations of the pod template of a release.

    Without the right to read Secrets or ConfigMaps, the recorded versions stay, and the log says
    so.

    :param live: the live Deployment.
    :raises ClusterError: when the API server cannot be reached.
    """
    namespace = release.environment.cluster.namespace
    recorded = pod_inputs.versions(live)
    found, refused = {}, []
    for kind, name in pod_inputs.references(pod_spec(release, "")):
        key = f"{kind}/{name}"
        try:
            read = hook.metadata("v1", kind, name, namespace)
        except Forbidden:
            refused.append(key)
            if key in recorded:
                found[key] = recorded[key]
            continue
        if read is None or label.is_ours(read):
            continue  # the pod template changes with the objects that the release makes
        found[key] = str(read["metadata"]["resourceVersion"])
        if found[key] != recorded.get(key, found[key]):
            log.info("%s was changed after the live release, so new pods are started", key)
    if refused:
        log.warning(
            "It is not known whether %s was changed: the account may not get Secrets and "
            "ConfigMaps (include/rbac.yaml). Set restart in the manifest after a change.",
            ", ".join(refused),
        )
    return pod_inputs.pod_annotations(release, live, found)
