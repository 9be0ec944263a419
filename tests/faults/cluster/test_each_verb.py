"""Without each verb of include/rbac.yaml, the package's hook names the missing verb."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import Connection
from kubernetes import client
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes.api_kinds import PLURALS
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

from sandbox.core.settings import REPOSITORY

KINDS = {(version.rpartition("/")[0], plural): (version, kind)
         for (version, kind), plural in PLURALS.items()}  # fmt: skip
ELSEWHERE = {"pods/log", "pods/proxy"}
"""Without the right to read logs, errors have no log lines and no request fails. The integration
tests of the roles remove the right to pods/proxy."""
WHO = "deployer"
_LABELS = {"app": "nothing"}
SPECS = {
    "Deployment": {
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {"containers": [{"name": "app", "image": "none"}]},
        },
    },
    "Service": {"ports": [{"port": 80}]},
    "HorizontalPodAutoscaler": {
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"},
    },
    "Ingress": {"defaultBackend": {"service": {"name": "nothing", "port": {"number": 80}}}},
}
"""Valid specs, because the API server validates an object before it checks ``create``."""


@pytest.fixture
def denied_only(cluster: Any) -> Iterator[Any]:
    """A hook whose account has rights in its own namespace, and a function to set the rights."""
    namespace = f"faults-{uuid.uuid4().hex[:8]}"
    core, rbac = client.CoreV1Api(cluster), client.RbacAuthorizationV1Api(cluster)
    meta = {"metadata": {"name": WHO}}
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        core.create_namespaced_service_account(namespace, meta)
        rbac.create_namespaced_role(namespace, meta | {"rules": []})
        subject = {"kind": "ServiceAccount", "name": WHO, "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": WHO}
        rbac.create_namespaced_role_binding(
            namespace, meta | {"subjects": [subject], "roleRef": role}
        )
        token = core.create_namespaced_service_account_token(WHO, namespace, {"spec": {}})
        yield (
            namespace,
            hook_of(cluster, token.status.token),
            lambda rules: rbac.patch_namespaced_role(WHO, namespace, {"rules": rules}),
        )
    finally:
        core.delete_namespace(namespace)


def hook_of(cluster: Any, token: str) -> ClusterHook:
    given = cluster.configuration
    authority = Path(given.ssl_ca_cert).read_bytes()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": WHO}}],
        "clusters": [
            {
                "name": "it",
                "cluster": {
                    "server": given.host,
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": WHO, "user": {"token": token}}],
    }
    extra = json.dumps({"kube_config": json.dumps(config)})
    return ClusterHook(
        "faults", connection=Connection(conn_id="faults", conn_type="kubernetes", extra=extra)
    )


def use(hook: ClusterHook, verb: str, version: str, kind: str, namespace: str) -> None:
    """Do a request of the package that needs the verb, and clean up."""
    an_object: dict[str, Any] = {"apiVersion": version, "kind": kind,
                 "metadata": {"name": "nothing", "namespace": namespace}}  # fmt: skip
    if kind != "ConfigMap":
        an_object["spec"] = SPECS.get(kind, {})
    where = version, kind, "nothing", namespace
    if verb == "get":
        hook.get(*where)
    elif verb == "list":
        hook.find(version, kind, namespace)
    elif verb == "watch":
        for _ in hook.watch(*where, seconds=1):
            return
    elif verb == "delete":
        hook.delete(*where)
    elif verb == "update":
        hook.replace(an_object)
    elif verb == "patch" or kind not in ("Pod", "Lease"):
        hook.apply(an_object, dry_run=True)  # a new object, which also needs create
    else:
        hook.create(an_object | {"spec": {"nonsense": True}})


def refusal(*what: Any) -> str:
    """The error of a missing permission, else an empty string."""
    try:
        use(*what)
    except ClusterError as error:
        return str(error) if "may not" in str(error) else ""
    return ""


def until(wanted: bool, *what: Any) -> str:
    """Retry until the request is refused (or not), because roles take effect with a delay."""
    end = time.monotonic() + 5
    while bool(said := refusal(*what)) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return said


def test_each_verb_of_the_role_missing_alone(faults, denied_only):
    namespace, hook, set_rules = denied_only
    role = next(yaml.safe_load_all((REPOSITORY / "include/rbac.yaml").read_text()))
    singles = [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource not in ELSEWHERE
    ]
    # Two rules allow to read ConfigMaps.
    singles = [one for at, one in enumerate(singles) if one not in singles[:at]]
    expected = "the hook's error names the verb and the resource; with the verb there is none"
    with faults.case(f"RBAC without each of {len(singles)} verbs, one at a time", expected) as case:
        wrong = []
        for one in singles:
            verb, resource, group = one["verbs"][0], one["resources"][0], one["apiGroups"][0]
            what = hook, verb, *KINDS[group, resource], namespace
            set_rules([item for item in singles if item is not one])
            full = f"{resource}.{group}" if group else resource
            said = until(True, *what)
            if f"may not {verb} {full} in namespace" not in said:
                wrong.append(f"without {verb} on {full}: {said or 'no error'}")
            set_rules(singles)
            if said := until(False, *what):
                wrong.append(f"with {verb} on {full}: {said}")
        case.seen = f"{len(singles) - len(wrong)} of {len(singles)} so"
        assert wrong == []
