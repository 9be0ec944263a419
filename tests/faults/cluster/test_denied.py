"""Requests that the cluster refuses: a missing verb of the role, and a quota."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from kubernetes import client

from sandbox.airflow.deploy import follow, upload
from sandbox.core.settings import REPOSITORY
from sandbox.kubernetes import rbac
from tests.faults.moments import told

QUOTA = "faults"
LESS = "faults-less"


@contextmanager
def without(cluster: Any, verb: str, resource: str, namespace: str) -> Iterator[None]:
    """Remove one verb from the account of the environment ``aks`` during the block."""
    role = next(yaml.safe_load_all((REPOSITORY / "include/rbac.yaml").read_text()))
    for rule in role["rules"]:
        if resource in rule["resources"]:
            rule["verbs"] = [item for item in rule["verbs"] if item != verb]
    role["metadata"]["name"] = LESS
    api = client.RbacAuthorizationV1Api(cluster)
    user = api.read_namespaced_role_binding(rbac.ROLE, namespace).subjects[0].name
    api.create_cluster_role(role)
    try:
        api.delete_namespaced_role_binding(rbac.ROLE, namespace)
        api.create_namespaced_role_binding(
            namespace, rbac.binding("RoleBinding", LESS, user, rbac.ROLE)
        )
        yield
    finally:
        # A binding cannot change its role, so replace the binding.
        api.delete_namespaced_role_binding(rbac.ROLE, namespace)
        rbac.Rbac().start()
        api.delete_cluster_role(LESS)


@pytest.mark.parametrize(
    ("verb", "resource", "group", "step"),
    [
        ("create", "pods", "", "smoke_test"),
        ("patch", "deployments", ".apps", "apply_deployment"),
        ("patch", "httproutes", ".gateway.networking.k8s.io", "publish_route"),
    ],
)
def test_a_verb_that_the_role_lacks(
    *, faults, live, load, cluster, environment, verb, resource, group, step
):
    expected = f"the run fails at {step} at once, naming verb and resource; the old one serves on"
    with faults.case(f"RBAC without {verb} on {resource}{group}", expected) as case:
        manifest = dict(live.manifest)
        with load(live) as found, without(cluster, verb, resource, environment["NAMESPACE"]):
            outcome = live.deploy(environment="aks", notes=f"without {verb}")
        live.manifest = manifest
        case.seen = f"{outcome.state} at {outcome.failed_step}: {outcome.error}"
        assert (outcome.state, outcome.failed_step) == ("failed", step)
        assert f"may not {verb} {resource}{group} in namespace" in outcome.error
        assert outcome.steps[step]["tries"] == 1
        case.load(found)


def test_a_quota_that_is_used_up_and_then_raised(
    *, faults, live, load, left_over, api, cluster, environment
):
    expected = (
        "apply_deployment says that the quota is used up and waits; raised, the run succeeds in "
        "one try; no request fails"
    )
    with faults.case("quota too small for the new pods, then raised", expected) as case:
        core, namespace = client.CoreV1Api(cluster), environment["NAMESPACE"]
        # The scope excludes smoke pods, which have an active deadline.
        quota = client.V1ResourceQuota(
            metadata=client.V1ObjectMeta(name=QUOTA),
            spec=client.V1ResourceQuotaSpec(hard={"limits.cpu": "400"}, scopes=["NotTerminating"]),
        )
        amounts = {"cpu": "50m", "memory": "128Mi"}
        manifest = live.manifest | {
            "resources": {"requests": amounts, "limits": amounts | {"cpu": "500"}},
            "startupSeconds": 5,
            "version": "5.0.0",
        }
        name = live.manifest["serviceName"]
        upload(live.zip(), f"datafactory/e2e/{name}/5.0.0/{name}-5.0.0.zip")
        run_id = f"faults-quota-{time.time_ns()}"
        core.create_namespaced_resource_quota(namespace, quota)
        try:
            with load(live) as found:
                api.trigger("deploy_service", manifest, run_id)
                said = told(api, run_id, "apply_deployment", "waiting", "quota")
                core.delete_namespaced_resource_quota(QUOTA, namespace)
                outcome = follow(api, run_id)
        finally:
            if QUOTA in [
                item.metadata.name for item in core.list_namespaced_resource_quota(namespace).items
            ]:
                core.delete_namespaced_resource_quota(QUOTA, namespace)
        tries = outcome.steps["apply_deployment"]["tries"]
        case.seen = f"{said.splitlines()[0]}; then {outcome.state}, tries: {tries}"
        assert outcome.ok, outcome.error
        assert tries == 1
        assert left_over(live) == []
        case.load(found)
