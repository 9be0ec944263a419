"""The roles of ``include/rbac.yaml`` suffice, and a missing verb is named."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifest_engine.domain.core.errors import ClusterError

from sandbox.core.part import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = [
    role for role in yaml.safe_load_all((REPOSITORY / "include/rbac.yaml").read_text()) if role
]
QUICK_SECONDS = 2.5
"""What a redeploy takes on a machine without other work."""


@pytest.fixture
def account(
    kube: Callable[..., str], namespace: str, sandbox: dict[str, str]
) -> Iterator[Callable[..., None]]:
    """Sets the Connection to a ServiceAccount with our roles, without the verb ``without``."""
    kube("create", "serviceaccount", "engine", "-n", namespace)
    made = []

    def become(*, without: tuple[str, str] | None = None) -> None:
        for role in ROLES:
            rules = json.loads(json.dumps(role["rules"]))
            for rule in rules:
                if without and without[1] in rule["resources"]:
                    rule["verbs"] = [verb for verb in rule["verbs"] if verb != without[0]]
            name = f"{role['metadata']['name']}-{namespace}"
            wide = "routes" in name
            rules = [rule for rule in rules if rule["verbs"]]
            changed = role | {"metadata": {"name": name}, "rules": rules}
            kube("apply", "-f", "-", given=json.dumps(changed))
            kind = "clusterrolebinding" if wide else "rolebinding"
            words = () if wide else ("-n", namespace)
            subject = f"--serviceaccount={namespace}:engine"
            kube("create", kind, name, f"--clusterrole={name}", subject, *words)
            made.append(name)
        for right in (("events", "-n", namespace), ("httproutes", "--all-namespaces")):
            wait_until(lambda asked=right: refused(*asked), 10, "a new role")
        token = kube("create", "token", "engine", "-n", namespace).strip()
        config = yaml.safe_load(Path(sandbox["KUBECONFIG"]).read_text())
        config["users"][0]["user"] = {"token": token}
        os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = json.dumps(
            {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}}
        )

    def refused(*where: str) -> str | None:
        """None once the role works; the API server applies a new role with a delay."""
        who = f"--as=system:serviceaccount:{namespace}:engine"
        answer = kube("auth", "can-i", "list", *where, who, check=False)
        return None if answer.startswith("yes") else answer

    before = os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"]
    yield become
    os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = before
    for name in made:
        kube("delete", "clusterrole", name)
        kube("delete", "clusterrolebinding", name, "--ignore-not-found")
        kube("delete", "rolebinding", name, "-n", namespace, "--ignore-not-found")
    kube("delete", "serviceaccount", "engine", "-n", namespace)
    kinds = "httproutes,deployments,services,poddisruptionbudgets,leases"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def deploy(digest: str, context: Callable[..., Any]) -> Callable[..., None]:
    """Runs the steps smoke_test, apply_deployment, publish_route and watch_release."""
    from manifest_engine.operators.route.publish_route import PublishRoute
    from manifest_engine.operators.smoke.smoke_test import SmokeTest
    from manifest_engine.operators.workload.apply_deployment import ApplyDeployment
    from manifest_engine.operators.workload.watch_release import WatchRelease

    def run(release: Any) -> None:
        made = context(release.run_id)
        given = {"release": release.dump()}
        push = {"digest": digest}
        verdict = SmokeTest(task_id="smoke_test", **given, push=push).execute(made)
        begun = ApplyDeployment(
            task_id="apply_deployment", **given, artifact={}, push=push, verdict=verdict
        ).execute(made)
        PublishRoute(task_id="publish_route", **given).execute(made)
        WatchRelease(task_id="watch_release", **given, deployment=begun).execute(made)

    return run


def test_a_redeploy_needs_only_the_roles_and_few_requests_to_the_api_server(
    account, deploy, make_release, monkeypatch
):
    from kubernetes.client import ApiClient

    account()
    deploy(make_release(replicas=2))
    asked: Counter[str] = Counter()
    real = ApiClient.request

    def counted(self: Any, method: str, url: str, **kwargs: Any) -> Any:
        asked[f"{method} {url.partition('?')[0].rpartition('/namespaces/')[2]}"] += 1
        return real(self, method, url, **kwargs)

    monkeypatch.setattr(ApiClient, "request", counted)
    begin = time.monotonic()
    deploy(make_release(replicas=2, version="2", env={"TEXT": "second"}))
    seconds = time.monotonic() - begin

    polls = sum(
        count for what, count in asked.items() if what.startswith("GET") and "/pods" in what
    )
    print(f"{asked.total()} requests in {seconds:.1f} s, {polls} polls of pods: {dict(asked)}")
    assert asked.total() - polls <= 36
    # On a slower machine, a pod that starts is polled more often: each 50 ms for the first 2 s,
    # and each 0.5 s later (services/smoke/pod_watch.py).
    late = max(0.0, seconds - QUICK_SECONDS)
    assert asked.total() <= 40 + 20 * min(late, 2.0) + 2 * max(0.0, late - 2.0)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("create", "pods"),
        ("watch", "pods"),
        ("get", "pods/proxy"),
        ("get", "deployments.apps"),
        ("patch", "deployments.apps"),
        ("patch", "services"),
        ("create", "leases.coordination.k8s.io"),
        ("patch", "httproutes.gateway.networking.k8s.io"),
    ],
)
def test_a_missing_verb_is_named_with_its_resource(account, deploy, make_release, verb, resource):
    account(without=(verb, resource.partition(".")[0]))

    with pytest.raises(ClusterError) as raised:
        deploy(make_release())

    assert f"may not {verb} {resource} in namespace" in str(raised.value)
    assert raised.value.retryable is False


def test_check_installation_names_a_missing_verb_with_the_command_to_grant_it(
    account, make_release
):
    from manifest_engine.domain.core.errors import ClusterError
    from manifest_engine.services.doctor import cluster_checks

    account(without=("patch", "services"))
    environment = make_release().environment
    checks = cluster_checks.of("dev", environment, ("installation", "check"))
    role = next(
        item for item in checks["cluster kubernetes_default"] if item.name == "role manifest-engine"
    )

    with pytest.raises(ClusterError) as raised:
        role.run()

    namespace = environment.cluster.namespace
    assert f":engine may not patch services in namespace '{namespace}'" in str(raised.value)
    assert f"kubectl create rolebinding manifest-engine -n {namespace}" in str(raised.value)
