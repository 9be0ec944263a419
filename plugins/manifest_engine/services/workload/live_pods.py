"""Reads the pods of a service and the end of one pod's log, for the page of the service."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.record import redaction
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import live_pods
from manifest_engine.domain.workload.pod import APP

LINES_MAX = 20
"""Log lines that are shown, without the access log."""


def read(environment: Environment, component: str, service_name: str) -> dict[str, Any]:
    """The pods, and the last log lines of the pod that tells most; possible secrets are hidden.

    :raises ClusterError: when the cluster cannot be read.
    """
    from manifest_engine.hooks.kubernetes import pod_evidence
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    cluster = environment.cluster
    own = {label.COMPONENT: component, label.NAME: service_name, label.MANAGED_BY: label.MANAGER}
    hook = ClusterHook(cluster.connection)
    found = hook.find("v1", "Pod", cluster.namespace, labels=label.label_selector(own))
    pods = live_pods.shown(found)
    told = live_pods.to_log(pods)
    text = ""
    if told:
        where = hook, cluster.namespace, told["name"], APP
        for previous in (False, True) if told["restarts"] else (False,):
            text = text or pod_evidence.last_lines(*where, lines=LINES_MAX, previous=previous)
    return {
        "pods": pods,
        "logOf": told["name"] if told else None,
        "log": "\n".join(map(redaction.hide_secrets, text.splitlines())),
    }
