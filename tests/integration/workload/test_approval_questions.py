"""Questions to approvers, with the real cluster's answers. Asking changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.removal import removal
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.operators.removal.approve_removal import ApproveRemoval

from tests.integration.names import COMPONENT, NAME

CLAIMED = f"/datafactory/{COMPONENT}/service"


def ask(release, digest):
    step = Approve(task_id="approve", release=release.dump(), push={"digest": digest})
    return step.question()


def asked_removal(release, requested_at):
    wanted = {"component": COMPONENT, "serviceName": "service", "environment": "dev"}
    planned = removal.plan(
        removal.parse(wanted | {"confirm": NAME}),
        {"dev": release.environment},
        run_id="removal",
        requested_at=requested_at,
        requested_by="tester",
    )
    return ApproveRemoval(task_id="approve", removal=planned.dump()).question()


@pytest.fixture
def state(kube, namespace):
    """The state of the objects that a deployment changes."""
    kinds = "deployments,services,poddisruptionbudgets,httproutes,leases"
    form = "jsonpath={range .items[*]}{.kind}{.metadata.name}{.metadata.resourceVersion};{end}"
    return lambda: kube("get", kinds, "-n", namespace, "-o", form)


def test_the_question_about_a_first_release_lists_the_objects_to_create(
    make_release, digest, state
):
    before = state()
    subject, body = ask(make_release(), digest)
    assert subject == f"Deploy {NAME} 1 to dev?"
    for kind in ("Deployment", "Service", "HTTPRoute"):
        assert f"- `{kind} {NAME}` would be created" in body
    assert "The dry run failed" not in body
    assert state() == before


def test_the_question_about_a_later_release_lists_changes_and_about_a_removal_objects(
    make_release, digest, apply, state
):
    begin = datetime.now(UTC)
    first = make_release()
    apply(first)
    before = state()
    _, body = ask(make_release(version="2", replicas=2), digest)
    assert "| version | `1` | `2` |" in body
    assert f"- `Deployment {NAME}` would change" in body
    assert f"- `Service {NAME}` would change" in body  # its version label changes
    assert "| `Deployment` | `spec.replicas` | `1` | `2` |" in body
    assert f"- `PodDisruptionBudget {NAME}` would be created" in body
    assert state() == before

    subject, body = asked_removal(first, datetime.now(UTC))
    assert subject == f"Remove {NAME} from dev?"
    assert f"| live release | `1`, `{digest}` |" in body
    assert "1 of 1 ready" in body
    assert f"- `Deployment {NAME}`" in body
    with pytest.raises(StateError, match="This run is superseded"):
        asked_removal(first, begin)
    assert state() == before


def test_the_question_names_another_owner_of_the_path(make_release, digest, kube, namespace):
    taken = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "taken", "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "datafactory-gateway", "namespace": "gateway-system"}],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": CLAIMED}}]}],
        },
    }
    kube("apply", "-f", "-", given=json.dumps(taken))
    try:
        _, body = ask(make_release(), digest)
    finally:
        kube("delete", "httproute/taken", "-n", namespace)
    assert "The dry run failed, and the deployment is likely to fail as well" in body
    assert "taken" in body
