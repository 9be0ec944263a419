"""New pods of the live release, after its Secret has changed."""

from __future__ import annotations

import time

import requests

from sandbox.airflow.deploy import follow


def test_a_restart_replaces_the_pods_of_the_release(service, api, apps, environment):
    plain = service("plain-service")
    first = plain.deploy()
    assert first.ok, first.error
    where = plain.object_name, environment["NAMESPACE"]
    before = apps.read_namespaced_deployment(*where)

    run_id = f"e2e-restart-{time.time_ns()}"
    asked = {key: plain.manifest[key] for key in ("component", "serviceName", "environment")}
    api.trigger("restart_service", asked, run_id)
    outcome = follow(api, run_id, dag_id="restart_service")

    assert outcome.ok, outcome.error
    after = apps.read_namespaced_deployment(*where)
    assert after.metadata.generation == before.metadata.generation + 1
    images = [item.spec.template.spec.containers[0].image for item in (before, after)]
    assert images[0] == images[1]
    notes = after.metadata.annotations
    assert notes["manifest-engine.io/run-id"] == run_id
    assert "manifest-engine.io/restarted-at" in after.spec.template.metadata.annotations
    assert requests.get(first.url, timeout=10).ok
