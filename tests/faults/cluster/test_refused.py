"""Changes that the cluster refuses: a policy, an immutable selector, another field manager."""

from __future__ import annotations

import time

import pytest
from kubernetes import client

from sandbox.airflow.deploy import follow
from tests.faults.moments import begin, reached

FORCED = "manifest-engine"
"""The field manager of releases, which has no conflict with itself."""


@pytest.fixture
def policy(cluster, apps, environment):
    """A policy that refuses every change of one Deployment during the test."""
    api = client.AdmissionregistrationV1Api(cluster)
    made = []

    def refuse(name):
        made.append(name)
        rule = {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"],
            "resourceNames": [name],
        }
        api.create_validating_admission_policy(
            {
                "metadata": {"name": name},
                "spec": {
                    "matchConstraints": {"resourceRules": [rule]},
                    "validations": [{"expression": "false", "message": "not on a Friday"}],
                },
            }
        )
        api.create_validating_admission_policy_binding(
            {
                "metadata": {"name": name},
                "spec": {"policyName": name, "validationActions": ["Deny"]},
            }
        )
        body = {"metadata": {"annotations": {"faults": "tried"}}}
        end = time.monotonic() + 30
        while time.monotonic() < end:  # the policy takes effect with a delay
            try:
                apps.patch_namespaced_deployment(
                    name, environment["NAMESPACE"], body, dry_run="All"
                )
            except client.ApiException:
                return
            time.sleep(0.2)
        raise AssertionError("the policy refuses nothing")

    yield refuse
    for name in made:
        api.delete_validating_admission_policy_binding(name)
        api.delete_validating_admission_policy(name)


def test_a_validating_admission_policy(*, faults, live, load, left_over, policy):
    expected = (
        "the run fails at apply_deployment at once with the policy's name and message and what to "
        "do, the old release serves on"
    )
    with faults.case("ValidatingAdmissionPolicy that refuses the Deployment", expected) as case:
        before = dict(live.manifest)
        policy(live.object_name)
        with load(live) as found:
            outcome = live.deploy(live.source("plain-service", "friday"), version="8.0")
        live.manifest = before
        case.seen = f"{outcome.state} at {outcome.failed_step}: {outcome.error}"
        assert (outcome.state, outcome.failed_step) == ("failed", "apply_deployment")
        assert outcome.steps["apply_deployment"]["tries"] == 1
        assert f"ValidatingAdmissionPolicy '{live.object_name}'" in outcome.error
        assert "not on a Friday" in outcome.error
        assert "whoever keeps the policy" in outcome.error
        assert left_over(live) == []
        case.load(found)


def test_a_change_by_hand_in_between(*, faults, live, load, left_over, api, apps, environment):
    expected = (
        "the run fails at apply_deployment at once naming the manager and its field, what was "
        "changed by hand stays and serves; once the field is released, the next run succeeds"
    )
    with faults.case("kubectl changes the memory limit in between", expected) as case:
        namespace, name = environment["NAMESPACE"], live.object_name
        container = (
            apps.read_namespaced_deployment(name, namespace).spec.template.spec.containers[0].name
        )
        limits = {"resources": {"limits": {"memory": "300Mi"}}}
        change = {"spec": {"template": {"spec": {"containers": [{"name": container, **limits}]}}}}
        with load(live) as found:
            run_id = begin(api, live, live.source("plain-service", "by-hand"), version="8.1")
            reached(run_id, "smoke_test", "running")
            apps.patch_namespaced_deployment(name, namespace, change, field_manager="kubectl-edit")
            outcome = follow(api, run_id)
            kept = apps.read_namespaced_deployment(name, namespace)
            release_fields(apps, kept, namespace)
            again = live.deploy(live.source("plain-service", "by-hand"), version="8.1")
        case.seen = (
            f"{outcome.state} at {outcome.failed_step}: {outcome.error}; released: {again.state}"
        )
        assert (outcome.state, outcome.failed_step) == ("failed", "apply_deployment")
        assert outcome.steps["apply_deployment"]["tries"] == 1
        assert "'kubectl-edit' set" in outcome.error
        assert "memory" in outcome.error
        after = kept.spec.template.spec.containers[0]
        assert after.resources.limits["memory"] == "300Mi"
        assert again.ok, again.error
        assert left_over(live) == []
        case.load(found)


def release_fields(apps, live, namespace):
    """Remove ``kubectl-edit`` from the field managers."""
    kept = [
        index
        for index, entry in enumerate(live.metadata.managed_fields)
        if entry.manager == "kubectl-edit"
    ]
    patch = [{"op": "remove", "path": f"/metadata/managedFields/{kept[0]}"}]
    apps.patch_namespaced_deployment(live.metadata.name, namespace, patch)


def test_a_selector_that_cannot_be_changed(
    *, faults, service, left_over, apps, cluster, environment
):
    expected = (
        "the run fails at apply_deployment at once saying that the object must be removed; nothing "
        "else of the release is there; removed, the next run succeeds"
    )
    with faults.case("a Deployment of ours with another selector", expected) as case:
        target, namespace = service("plain-service"), environment["NAMESPACE"]
        labels = {
            "app.kubernetes.io/instance": target.object_name,
            "app.kubernetes.io/managed-by": FORCED,
        }
        pod = {"containers": [{"name": "app", "image": "none"}]}
        older = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": target.object_name, "labels": labels},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": target.object_name}},
                "template": {"metadata": {"labels": {"app": target.object_name}}, "spec": pod},
            },
        }
        apps.patch_namespaced_deployment(
            target.object_name, namespace, older, field_manager=FORCED, force=True,
            _content_type="application/apply-patch+yaml",
        )  # fmt: skip
        outcome = target.deploy()
        services = client.CoreV1Api(cluster).list_namespaced_service(
            namespace, label_selector=f"app.kubernetes.io/instance={target.object_name}"
        )
        apps.delete_namespaced_deployment(target.object_name, namespace)
        again = target.deploy()
        case.seen = (
            f"{outcome.state} at {outcome.failed_step}: {outcome.error}; removed: {again.state}"
        )
        assert (outcome.state, outcome.failed_step) == ("failed", "apply_deployment")
        assert outcome.steps["apply_deployment"]["tries"] == 1
        assert "immutable" in outcome.error
        assert "Remove the object" in outcome.error
        assert services.items == []
        assert again.ok, again.error
        assert left_over(target) == []
