"""The wait for deleted pods, and the names of pods that do not end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from threading import Timer

from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.pod_ends import wait_for_deletion

LABEL = "tests.manifest-engine.io/ends"
HOLD = "tests.manifest-engine.io/hold"


def test_pods_are_waited_for_until_the_time_is_over(
    kube: Callable[..., str], namespace: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "held", "labels": {LABEL: "held"}, "finalizers": [HOLD]},
        "spec": {
            "nodeSelector": {LABEL: "nowhere"},
            "containers": [{"name": "a", "image": "b"}],
            "terminationGracePeriodSeconds": 2,
        },
    }
    kube("create", "-n", namespace, "-f", "-", given=json.dumps(pod))
    hook, labels = ClusterHook("kubernetes_default"), f"{LABEL}=held"
    log = logging.getLogger(__name__)
    begin = time.monotonic()
    assert wait_for_deletion(hook, namespace, labels, seconds=0, log=log)
    assert time.monotonic() - begin > 2, "waits for the pod's grace period"
    kube("delete", "pod", "held", "-n", namespace, "--wait=false")

    left = wait_for_deletion(hook, namespace, labels, seconds=1, log=log)
    assert [item["metadata"]["name"] for item in left] == ["held"]

    let_go = ("patch", "pod", "held", "-n", namespace, "--type=merge")
    Timer(1, kube, (*let_go, "-p", '{"metadata":{"finalizers":null}}')).start()
    begin = time.monotonic()
    assert wait_for_deletion(hook, namespace, labels, seconds=30, log=log) == []
    assert 0.5 < time.monotonic() - begin < 5, "the wait ends with the pod"
