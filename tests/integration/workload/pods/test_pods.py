"""Files, volumes and privileges of a release in the real cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.pod import pod_security
from manifest_engine.domain.workload import resources
from manifest_engine.services.workload import namespace_policy

from tests.integration.conftest import REPOSITORY, build_and_push
from tests.integration.names import COMPONENT, NAME

FILE = "/etc/quotes/settings.yaml"


@pytest.fixture
def inside(kube: Callable[..., str], namespace: str) -> Callable[..., str]:
    """Runs a command in a pod of the live release and returns the output."""

    def run(*words: str) -> str:
        return kube("exec", f"deployment/{NAME}", "-n", namespace, "-c", "app", "--", *words)

    return run


@pytest.fixture
def forget(kube: Callable[..., str], namespace: str) -> Callable[[str], None]:
    """Deletes a ReplicaSet, as the Deployment's controller does later."""

    def run(name: str) -> None:
        kube("delete", "replicaset", name, "-n", namespace)

    return run


def file_names(get: Any) -> list[str]:
    names = [item["metadata"]["name"] for item in get("configmaps")["items"]]
    return [name for name in names if name.startswith(NAME)]


def test_files_are_kept_while_their_release_is_in_the_history(
    apply, make_release, get, inside, forget
):
    apply(make_release(files={FILE: "level: info\n"}))
    (first,) = file_names(get)
    assert inside("cat", FILE) == "level: info\n"

    done = apply(make_release(version="2", files={FILE: "level: $(HOME)\n"}))

    assert done["changed"] is True
    assert inside("cat", FILE) == "level: $(HOME)\n"
    assert first in file_names(get)

    old = next(item for item in get("replicasets")["items"] if first in json.dumps(item["spec"]))
    forget(old["metadata"]["name"])
    apply(make_release(version="3", files={FILE: "level: debug\n"}))

    assert first not in file_names(get)
    assert len(file_names(get)) == 2


def test_secrets_config_maps_and_empty_folders_are_mounted(
    apply, make_release, kube, inside, namespace
):
    secret, config = f"{NAME}-tls", f"{NAME}-app"
    kube("create", "secret", "generic", secret, "--from-literal=a=A", "--from-literal=b=B",
         "-n", namespace)  # fmt: skip
    kube("create", "configmap", config, "--from-literal=level=info", "-n", namespace)
    volumes = {
        "/etc/tls": {"secret": secret, "keys": ["a"]},
        "/etc/app": {"configMap": config},
        "/code/cache": {"emptyDir": {"sizeLimit": "10Mi"}},
    }

    apply(make_release(volumes=volumes))

    assert inside("ls", "/etc/tls").split() == ["a"]
    assert inside("cat", "/etc/tls/a", "/etc/app/level") == "Ainfo"
    script = "touch /code/cache/x && ! touch /etc/tls/x 2>/dev/null && ! touch /etc/app/x 2>&1"
    assert "Read-only file system" in inside("sh", "-c", script)
    kube("delete", "secret", secret, "-n", namespace)
    kube("delete", "configmap", config, "-n", namespace)


def test_the_api_server_accepts_key_vault_identity_and_placement(make_release, digest, kube):
    release = make_release(
        volumes={"/mnt/vault": {"secretProviderClass": f"{NAME}-kv"}},
        serviceAccount="quotes",
        labels={"team": "pricing"},
        command=["python3"],
        args=["/code/app.py"],
        security={"pid1": True, "runAsRoot": True, "capabilities": ["CHOWN"]},
        pods={
            "tolerations": [{"key": "pool", "value": "apps", "effect": "NoSchedule"}],
            "annotations": {"example.com/a": "b"},
            "labels": {"cost-center": "42"},
        },
    )
    deployment = resources.workload(release, digest, {})[0]

    said = kube("apply", "--server-side", "--dry-run=server", "-o", "json", "-f", "-",
                given=json.dumps(deployment))  # fmt: skip

    spec = json.loads(said)["spec"]["template"]["spec"]
    assert spec["volumes"][0]["csi"]["volumeAttributes"] == {"secretProviderClass": f"{NAME}-kv"}
    assert spec["topologySpreadConstraints"][0]["matchLabelKeys"] == ["pod-template-hash"]


def test_values_arrive_unchanged_and_empty_values_cause_no_rollout(
    apply, make_release, inside, get
):
    value = "$(HOME) $$(HOME) $HOME $5 $"
    fields = {
        "env": {"EMPTY": "", "MONEY": value},
        "files": {FILE: ""},
        "args": ["/code/app.py", "", value],
        "command": ["python3"],
        "volumes": {"/code/cache": {"emptyDir": {}}},
    }
    apply(make_release(**fields))
    generation = get(f"deployment/{NAME}")["metadata"]["generation"]

    again = apply(make_release(**fields))

    assert again["changed"] is False
    assert get(f"deployment/{NAME}")["metadata"]["generation"] == generation
    assert inside("sh", "-c", 'printf "[%s][%s]" "$EMPTY" "$MONEY"') == f"[][{value}]"
    search = "for one in /proc/[0-9]*/cmdline; do grep -qs /code/[a]pp.py $one && cat $one; done"
    words = inside("sh", "-c", f"{search}; true").split("\0")
    assert words[1:] == ["/code/app.py", "", value, ""]


@pytest.fixture
def namespace_with(kube: Callable[..., str], namespace: str) -> Iterator[Callable[..., str]]:
    """Makes a namespace with labels or a LimitRange, and with the pull secret."""
    made = []

    def make(*labels: str, limit_range: dict[str, Any] | None = None) -> str:
        name = f"tests-{uuid4().hex[:8]}"
        made.append(name)
        kube("create", "namespace", name)
        if labels:
            kube("label", "namespace", name, *labels)
        secret = json.loads(kube("get", "secret", "registry", "-n", namespace, "-o", "json"))
        secret["metadata"] = {"name": "registry", "namespace": name}
        limits = {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "limits", "namespace": name},
            "spec": {"limits": [{"type": "Container", **(limit_range or {})}]},
        }
        for item in (secret, *([limits] if limit_range else ())):
            kube("apply", "-f", "-", given=json.dumps(item))
        return name

    yield make
    for name in made:
        kube("delete", "namespace", name, "--wait=false")


@pytest.fixture
def deploy(
    sandbox: dict[str, str],
    context: Callable[..., Any],
    apply: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Plans for the namespace, then runs the steps smoke_test and apply_deployment."""
    import logging

    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.operators.smoke.smoke_test import SmokeTest

    registry = {
        "conn_type": "acr",
        "host": sandbox["REGISTRY"],
        "login": sandbox["REGISTRY_USER"],
        "password": sandbox["REGISTRY_PASSWORD"],
    }
    monkeypatch.setenv("AIRFLOW_CONN_ACR_DEFAULT", json.dumps(registry))

    def run(release: Any, digest: str) -> dict[str, Any]:
        planned = namespace_policy.plan(release, logging.getLogger())
        image = AcrHook("acr_default").api.find(planned.repository, digest)
        assert image
        pod_security.require_user(planned, image.user)
        test = SmokeTest(task_id="smoke_test", release=planned.dump(), push={"digest": digest})
        verdict = test.execute(context(planned.run_id, task_id="smoke_test"))
        return apply(planned, digest=digest, verdict=verdict, keep_lease=True)

    return run


@pytest.fixture(scope="module")
def numeric_user(sandbox: dict[str, str], digest: str) -> str:
    """Digest of the test service's image with a numeric user."""
    recipe = (REPOSITORY / "tests/integration/service/Dockerfile").read_text() + "USER 1000\n"
    image = f"{sandbox['REGISTRY']}/datafactory/{COMPONENT}/service:numeric"
    return build_and_push(image, recipe)


def test_a_restricted_namespace_requires_an_image_with_a_numeric_user(
    deploy, make_release, namespace_with, numeric_user, digest
):
    name = namespace_with("pod-security.kubernetes.io/enforce=restricted")
    release = make_release(cluster={"namespace": name}, files={FILE: "level: info\n"})

    with pytest.raises(ManifestError, match="add `USER 1000` to the Dockerfile"):
        deploy(release, digest)

    assert deploy(release, numeric_user)["replicas"] == 1


def test_a_limit_range_does_not_refuse_our_pods(deploy, make_release, namespace_with, digest):
    name = namespace_with(limit_range={"min": {"cpu": "100m", "memory": "64Mi"}})
    asked = {"cpu": "200m", "memory": "256Mi"}
    release = make_release(
        cluster={"namespace": name}, resources={"requests": asked, "limits": asked}
    )

    assert deploy(release, digest)["replicas"] == 1
