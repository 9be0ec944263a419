from __future__ import annotations

from typing import Any

from manifest_engine.domain.workload import live_pods

DIGEST = "sha256:" + "ab12" * 16


def pod(name: str, second: int, *, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    moment = f"2026-01-02T03:04:{second:02}Z"
    container = {"name": "app", "ready": ready, "restartCount": restarts, "state": {"running": {}}}
    image = f"registry.example.com/datafactory/pricing/quotes@{DIGEST}"
    sidecar = {"name": "proxy", "image": "mesh:1"}
    return {
        "metadata": {"name": name, "creationTimestamp": moment},
        "spec": {"containers": [sidecar, {"name": "app", "image": image}], "nodeName": "n"},
        "status": {"containerStatuses": [container]},
    }


def test_a_pod_is_shown_with_its_restarts_and_its_image():
    (found,) = live_pods.shown([pod("a", 1, restarts=3)])
    assert found == {
        "name": "a",
        "ready": True,
        "state": "ready",
        "restarts": 3,
        "since": "2026-01-02T03:04:01Z",
        "digest": DIGEST,
    }


def test_a_pod_without_a_status_is_shown():
    (found,) = live_pods.shown([{"metadata": {"name": "a"}}])
    assert (found["ready"], found["digest"]) == (False, None)
    assert found["state"] == "waits: the scheduler has not chosen a node yet"


def test_the_newest_pods_are_shown_first_and_of_many_only_these(monkeypatch):
    monkeypatch.setattr(live_pods, "PODS_MAX", 2)
    found = live_pods.shown([pod("b", 2), pod("c", 3), pod("a", 1)])
    assert [item["name"] for item in found] == ["c", "b"]


def test_the_log_is_of_a_pod_that_is_not_ready_if_there_is_one():
    assert live_pods.to_log([]) is None
    ready = live_pods.shown([pod("old", 1), pod("new", 2)])
    assert live_pods.to_log(ready)["name"] == "new"
    mixed = live_pods.shown([pod("old", 1, ready=False), pod("new", 2)])
    assert live_pods.to_log(mixed)["name"] == "old"
