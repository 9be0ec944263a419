"""A fake cluster in which a smoke test's pod is created and watched."""

from types import SimpleNamespace

import pytest
from kubernetes.client import ApiClient
from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator

from tests.unit.domain.release.releases import DIGEST, make_release


def task(**fields):
    release = make_release(**fields)
    return SmokePodOperator(task_id="smoke_test", release=release.dump(), push={"digest": DIGEST})


class Cluster:
    """Stores pods; ``during`` is called in the middle of a request of that name."""

    def __init__(self, **during):
        self.pods = set()
        self.created = 0
        self.shows = []
        self.core_v1_client = None
        self.api_client = SimpleNamespace(sanitize_for_serialization=as_json)
        self._during = during

    def find(self, *_, **__):
        self._happens("find")
        return []

    def create(self, desired):
        self.created += 1
        self._happens("create")
        self.pods.add(desired["metadata"]["name"])
        self._happens("answer")
        return desired

    def watch(self, _version, _kind, name, namespace, *, seconds):
        assert 0 < seconds <= 60
        while self.shows:
            yield "MODIFIED", self._next(name, namespace)
        pytest.fail("more was waited for than there was to see")

    def get(self, _version, _kind, name, namespace):
        return self._next(name, namespace) if self.shows else None

    def _next(self, name, namespace):
        states = self.shows.pop(0)
        of_pod = states.get("pod", {})
        app = {"name": "app", "state": states["app"], "ready": states.get("ready", False)}
        status = {"containerStatuses": [app], "podIP": "10.0.0.9"} | of_pod.get("status", {})
        metadata = {"name": name, "namespace": namespace} | of_pod.get("metadata", {})
        return {"metadata": metadata, "status": status}

    def delete(self, api_version, kind, name, namespace, *, grace):
        assert (api_version, kind, namespace, grace) == ("v1", "Pod", "apps", 0)
        found = name in self.pods
        self.pods.discard(name)
        return found

    def _happens(self, what):
        self._during.get(what, lambda: None)()


def as_json(made):
    return ApiClient().sanitize_for_serialization(made)


def run_in(cluster, made):
    made.hook = cluster
    made.pod_request_obj = made.build_pod_request_obj(dry_run=True)
    made.execute_sync({"ti": SimpleNamespace(xcom_push=lambda **_: None)})
