"""Checks of a manifest's permissions that depend on the services in the real cluster."""

from __future__ import annotations

import base64
import json

import pytest
from manifest_engine.domain.core.errors import ClusterError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.access import Access
from manifest_engine.domain.manifest import reach
from manifest_engine.domain.workload import resources
from manifest_engine.operators.core import admission
from manifest_engine.operators.release.validate_rollback import ValidateRollback

from sandbox.core.part import wait_until
from tests.integration.names import COMPONENT, NAME


@pytest.fixture
def deployed(kube, make_release, digest):
    """Creates a service's Deployment without waiting for its pods."""

    def put(**fields):
        made = resources.workload(make_release(**fields), digest, {})[0]
        kube("apply", "--server-side", "-f", "-", given=json.dumps(made))

    return put


def judge(context, release):
    admission.require_deploy(context(release.run_id), release.manifest, release.environment)


def test_a_secret_belongs_to_the_service_with_the_longest_matching_name(
    deployed, make_release, context
):
    asked = make_release(secretEnv={"DB": f"{NAME}-eu-db/password"})
    judge(context, asked)  # this service does not exist yet

    deployed(serviceName="service-eu")

    with pytest.raises(NotAllowed, match=f"'{NAME}-eu-db', which belongs to the service {NAME}-eu"):
        judge(context, asked)
    judge(context, make_release(secretEnv={"DB": f"{NAME}-db/password"}))
    listed = {"allowedSecrets": [f"{NAME}-eu-*"]}
    judge(context, make_release(secretEnv={"DB": f"{NAME}-eu-db/password"}, cluster=listed))


def test_names_beyond_the_limit_of_a_label_selector_are_checked(deployed, make_release, context):
    deployed(serviceName="service-eu")
    many = {f"V{number}": f"{NAME}-x{number}-y-z/key" for number in range(200)}
    judge(context, make_release(secretEnv=many))
    with pytest.raises(NotAllowed, match=f"belongs to the service {NAME}-eu"):
        judge(context, make_release(secretEnv=many | {"DB": f"{NAME}-eu/password"}))


def test_a_secret_is_refused_when_the_cluster_does_not_answer(
    make_release, context, kube, monkeypatch
):
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    text = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(text))
    with pytest.raises(ClusterError) as refused:
        judge(context, make_release(secretEnv={"DB": f"{NAME}-eu-db/password"}))
    assert refused.value.retryable


def test_a_release_that_is_no_longer_allowed_is_not_applied_and_the_lease_is_released(
    apply, make_release, get, monkeypatch
):
    release = make_release()
    now = release.environment.model_copy(update={"access": Access(deploy=("grace",))})
    monkeypatch.setattr(environments, "load", lambda: {"dev": now})

    with pytest.raises(NotAllowed, match="tester may not deploy here"):
        apply(release, wait=False)

    assert get(f"deployment/{NAME}") is None
    assert get(f"lease/{NAME}.manifest-engine") is None


def test_a_rollback_is_checked_by_the_current_rules_and_the_error_names_the_manifest(
    *, apply, make_release, context, kube, namespace, monkeypatch
):
    kube("create", "secret", "generic", "shared", "--from-literal=password=x", "-n", namespace)
    listed = {"allowedSecrets": ["shared"]}
    before = make_release(cluster=listed, secretEnv={"DB": "shared/password"})
    monkeypatch.setattr(environments, "load", lambda: {"dev": before.environment})
    apply(before)
    apply(make_release(version="2", cluster=listed))
    monkeypatch.setattr(environments, "load", lambda: {"dev": make_release().environment})
    made = context("rollback")
    made["dag_run"].conf = {"component": COMPONENT, "serviceName": "service", "environment": "dev"}

    with pytest.raises(NotAllowed) as refused:
        ValidateRollback(task_id="validate_rollback").execute(made)

    assert "secretEnv.DB names the Secret 'shared'. In 'dev' the service" in str(refused.value)
    assert "This is the recorded manifest of 1 (sha256:" in str(refused.value)
    assert made["pushed"]["error"] == str(refused.value)


def test_kubernetes_stores_tokens_and_logins_under_the_keys_that_manifests_may_not_use(
    kube, namespace, get
):
    """The rule checks only names, because the role may not read Secrets."""
    account = {"kubernetes.io/service-account.name": "default"}
    login = base64.b64encode(b'{"auths": {}}').decode()
    secrets = {
        "token-of-an-account": {"type": "kubernetes.io/service-account-token"},
        "login": {
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": login},
        },
        "old-login": {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": login}},
    }
    for name, fields in secrets.items():
        metadata = {"name": name, "namespace": namespace, "annotations": account}
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata} | fields
        kube("apply", "-f", "-", given=json.dumps(made))

    def missing():
        data = get("secret/token-of-an-account").get("data") or {}
        return None if "token" in data else "the controller has not written the token"

    wait_until(missing, 20, "a token")
    public = {"ca.crt", "namespace"}
    found = {key for name in secrets for key in get(f"secret/{name}")["data"]}
    assert found - public == reach._FORBIDDEN_KEYS.keys()
