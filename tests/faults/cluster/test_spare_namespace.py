"""Cases with their own namespace: its deletion, two services with one route, counted requests."""

from __future__ import annotations

import copy

import pytest
import requests
from kubernetes import client
from manifest_engine.operators.workload.apply_deployment import WATCH_SECONDS

from sandbox.airflow.deploy import follow
from tests.faults.moments import begin, reached, slow
from tests.faults.spare import spare_environment

MOST_REQUESTS = 40
SERVICES = 50
ROUTES = "gateway.networking.k8s.io", "v1"


@pytest.fixture(scope="module")
def spare(cluster, api):
    with spare_environment(cluster, api) as made:
        yield made


def test_requests_to_the_api_server(faults, spare, service, cluster):
    expected = (
        f"a redeploy asks the API server {MOST_REQUESTS} times or fewer, and once more for each "
        f"second that the rollout takes beyond {WATCH_SECONDS:.0f}; with {SERVICES} more services, "
        "too, and it asks for none of these"
    )
    with faults.case("requests to the API server by a redeploy", expected) as case:
        target = service("plain-service")
        first = target.deploy(environment=spare.name)
        assert first.ok, first.error
        found, told = [], []
        for number in (1, 2):
            spare.counts.taken()
            text = f"answer-{number}"
            outcome = target.deploy(target.source("plain-service", text), version=f"1.{number}")
            assert outcome.ok, outcome.error
            counts, seconds = spare.counts.taken(), outcome.steps["apply_deployment"]["seconds"]
            found.append(counts)
            told.append(f"{counts.total()} (rollout {seconds:.0f} s)")
            case.seen = f"; with {SERVICES} more services ".join(told)
            allowed = MOST_REQUESTS + max(0.0, seconds - WATCH_SECONDS)
            assert counts.total() <= allowed, counts.most_common()
            if number == 1:
                more_services(cluster, spare.name)
        assert [path for path in found[1] if "other-" in path] == []


def more_services(cluster, namespace):
    apps = client.AppsV1Api(cluster)
    for number in range(SERVICES):
        labels = {
            "app.kubernetes.io/name": f"other-{number}",
            "app.kubernetes.io/instance": f"e2e-other-{number}",
            "app.kubernetes.io/managed-by": "manifest-engine",
            "app.kubernetes.io/part-of": "datafactory",
        }
        pod = {"containers": [{"name": "service", "image": "none"}]}
        apps.create_namespaced_deployment(
            namespace,
            {
                "metadata": {"name": f"e2e-other-{number}", "labels": labels},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
        )


def test_two_services_with_one_route_at_once(*, faults, spare, service, api, cluster, environment):
    expected = (
        "one run succeeds and its service answers; the other fails at publish_route saying who "
        "owns the path, and leaves no route"
    )
    with faults.case("two namespaces, one route, at once", expected) as case:
        here = service("plain-service")
        there = copy.deepcopy(here)
        there.manifest["environment"] = spare.name
        # Both use one ZIP and one image, in different namespaces.
        runs = [begin(api, target) for target in (here, there)]
        outcomes = [follow(api, run_id) for run_id in runs]
        case.seen = " and ".join(
            "success" if outcome.ok else f"failed at {outcome.failed_step}: {outcome.error}"
            for outcome in outcomes
        )
        won = [outcome for outcome in outcomes if outcome.ok]
        lost = [outcome for outcome in outcomes if not outcome.ok]
        assert (len(won), len(lost)) == (1, 1)
        assert lost[0].failed_step == "publish_route"
        namespaces = [environment["NAMESPACE"], spare.name]
        winner, loser = namespaces if outcomes[0].ok else reversed(namespaces)
        assert f"{winner}/{here.object_name}" in lost[0].error
        assert routes(cluster, loser, here.object_name) == []
        assert len(routes(cluster, winner, here.object_name)) == 1
        assert requests.get(won[0].url, timeout=10).status_code == 200


def routes(cluster, namespace, name):
    found = client.CustomObjectsApi(cluster).list_namespaced_custom_object(
        *ROUTES, namespace, "httproutes", label_selector=f"app.kubernetes.io/instance={name}"
    )
    return found["items"]


@pytest.mark.parametrize("step", ["smoke_test", "apply_deployment"])
def test_the_namespace_deleted_in_the_middle(*, faults, spare, service, api, step):
    expected = f"the run fails at {step} saying that the namespace is being deleted or not there"
    with faults.case(f"namespace deleted during {step}", expected) as case:
        target = service("plain-service")
        run_id = begin(api, target, slow(target, 8), environment=spare.name)
        reached(run_id, step, "running")
        spare.delete_namespace()
        outcome = follow(api, run_id)
        spare.make_namespace()
        case.seen = f"{outcome.state} at {outcome.failed_step}: {outcome.error}"
        assert (outcome.state, outcome.failed_step) == ("failed", step)
        assert f"namespace '{spare.name}'" in outcome.error.lower()
