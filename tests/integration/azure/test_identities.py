"""Managed identity and workload identity, with the hooks of registry and cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from manifest_engine.hooks.kubernetes.aks import AksHook
from manifest_engine.hooks.registry.acr import AcrHook

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import files as cluster_files
from sandbox.services.azure import entra
from tests.integration.azure.conftest import Make
from tests.integration.azure.directories import metadata_service, of_the_sandbox

STRANGER = "3" * 8 + "-3333-3333-3333-" + "3" * 12
AUDIENCE = "api://AzureADTokenExchange"
ISSUER = "https://kubernetes.default.svc"

Test = Callable[..., tuple[tuple[bool, str], tuple[bool, str]]]


@pytest.fixture
def asked(sandbox: dict[str, str], connect: Make, monkeypatch: pytest.MonkeyPatch) -> Test:
    """Returns the results of ``test_connection`` of both hooks for an identity."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(SETTINGS.ca_bundle))

    def ask(auth: str, client: str | None, **extra: Any) -> Any:
        extra = {"auth": auth, **extra}
        registry = {"conn_type": "acr", "host": sandbox["REGISTRY"], "login": client}
        monkeypatch.setenv("AIRFLOW_CONN_ACR_TESTS", json.dumps({**registry, "extra": extra}))
        cluster = connect(login=client, password=None, extra=extra)
        return AcrHook("acr_tests").test_connection(), AksHook(cluster).test_connection()

    return ask


@pytest.fixture(scope="module")
def machine(azure: dict[str, Any]) -> Iterator[str]:
    """IMDS of a machine: the reader is system-assigned, the deployer is user-assigned."""
    deployer, reader = entra.identity()["clients"]
    with metadata_service(system=reader["client_id"], user=deployer["client_id"]) as url:
        yield url


@pytest.fixture
def on_the_machine(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine)


@pytest.mark.usefixtures("on_the_machine")
def test_a_user_assigned_identity_is_accepted(asked: Test, azure: dict[str, Any]) -> None:
    registry, cluster = asked("managed_identity", azure["connection"]["login"])
    assert registry[0], registry[1]
    assert cluster[0], cluster[1]
    assert azure["object_id"] in cluster[1]


@pytest.mark.usefixtures("on_the_machine")
def test_without_a_client_id_the_system_assigned_identity_is_used(
    asked: Test, azure: dict[str, Any]
) -> None:
    registry, cluster = asked("managed_identity", None)
    assert registry[0], registry[1]
    assert not cluster[0]
    assert "'Azure Kubernetes Service Cluster User Role'" in cluster[1]
    assert "'aks_tests' (managed identity" in cluster[1]


@pytest.mark.usefixtures("on_the_machine")
def test_an_unassigned_identity_is_refused_with_its_client_id(asked: Test) -> None:
    for conn_id, (ok, said) in zip(
        ("acr_tests", "aks_tests"), asked("managed_identity", STRANGER), strict=True
    ):
        assert not ok
        assert f"the Connection '{conn_id}' (client {STRANGER}" in said
        assert "the metadata service of this machine says 'Identity not found'" in said


def test_a_machine_without_a_metadata_service_is_refused(
    connect: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    conn_id = connect(login=None, password=None, extra={"auth": "managed_identity"})
    ok, said = AksHook(conn_id).test_connection()
    assert not ok
    assert "no response from the IMDS endpoint" in said


@dataclass
class Pod:
    """The environment that the workload identity webhook gives a worker's pod."""

    token_file: Path
    give: Callable[..., str]

    def hold(self, token: str) -> None:
        self.token_file.write_text(token)


@pytest.fixture(scope="module")
def accounts(kube: Any, aks_namespace: str) -> Iterator[Callable[..., str]]:
    """Makes tokens of service accounts. As on AKS, the cluster's public keys are public."""
    for name in ("airflow-worker", "another"):
        kube("create", "serviceaccount", name, "-n", aks_namespace)
    binding = f"{aks_namespace}-issuer"
    kube("create", "clusterrolebinding", binding, "--group=system:unauthenticated",
         "--clusterrole=system:service-account-issuer-discovery")  # fmt: skip

    def token(account: str = "airflow-worker", audience: str = AUDIENCE) -> str:
        made = kube("create", "token", account, "-n", aks_namespace, f"--audience={audience}")
        return str(made.strip())

    yield token
    kube("delete", "clusterrolebinding", binding)


@pytest.fixture(scope="module")
def trusting(azure: dict[str, Any], accounts: Any, aks_namespace: str) -> Iterator[str]:
    """Authority of a tenant whose deployer trusts one service account of the cluster."""
    deployer, reader = entra.identity()["clients"]
    credential = {
        "issuer": ISSUER,
        "subject": f"system:serviceaccount:{aks_namespace}:airflow-worker",
        "audience": AUDIENCE,
        "openid": cluster_files.SERVER,
        "ca": str(SETTINGS.ca),
    }
    with of_the_sandbox(clients=[{**deployer, "federated": [credential]}, reader]) as found:
        yield found.authority


@pytest.fixture
def pod(
    trusting: str,
    accounts: Callable[..., str],
    tmp_path: Path,
    azure: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Pod:
    made = Pod(tmp_path / "token", accounts)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(made.token_file))
    monkeypatch.setenv("AZURE_CLIENT_ID", azure["connection"]["login"])
    monkeypatch.setenv("AZURE_TENANT_ID", azure["connection"]["extra"]["tenant_id"])
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", trusting)
    return made


def by_workload(asked: Test, client: str | None = None, **extra: Any) -> Any:
    """Authenticate by the pod's environment. Instance discovery knows only Microsoft's hosts."""
    return asked(
        "workload_identity", client, authority="", disable_instance_discovery=True, **extra
    )


def test_a_pods_service_account_is_accepted(asked: Test, pod: Pod, azure: dict[str, Any]) -> None:
    pod.hold(pod.give())
    registry, cluster = by_workload(asked)
    assert registry[0], registry[1]
    assert cluster[0], cluster[1]
    assert azure["object_id"] in cluster[1]


def expired(pod: Pod) -> str:
    """An expired token signed with the API server's key, which issues none for under 10 min."""
    real = pod.give()
    claims = jwt.decode(real, options={"verify_signature": False})
    claims |= {"iat": int(time.time()) - 900, "exp": int(time.time()) - 400}
    header = jwt.get_unverified_header(real)
    key = pki.issue("kube-accounts", common_name="service-accounts").key.read_bytes()
    return jwt.encode(claims, key, header["alg"], {"kid": header["kid"]})


def forged(pod: Pod) -> str:
    """A token that names the API server as issuer but is signed with another key."""
    real = pod.give()
    pair = pki.issue("forger", common_name="forger")
    claims = jwt.decode(real, options={"verify_signature": False})
    header = jwt.get_unverified_header(real)
    return jwt.encode(claims, pair.key.read_bytes(), header["alg"], {"kid": header["kid"]})


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (expired, "AADSTS700024: Client assertion is not within its valid time range"),
        (forged, "AADSTS700027: Client assertion failed signature validation"),
        (lambda pod: pod.give("another"), "AADSTS700213: No matching federated identity record"),
        (lambda pod: pod.give(audience="someone"), "AADSTS700212: Assertion audience"),
        (lambda pod: "no token", "AADSTS50027: JWT token is invalid or malformed"),
    ],
)
def test_an_untrusted_token_is_refused_with_entra_ids_message(
    asked: Test, pod: Pod, token: Callable[[Pod], str], said: str
) -> None:
    pod.hold(token(pod))
    for ok, sentence in by_workload(asked):
        assert not ok
        assert said in sentence
        assert "Entra ID gives the identity of the Connection 'a" in sentence


def test_a_client_that_does_not_trust_the_pod_is_refused(
    asked: Test, pod: Pod, azure: dict[str, Any]
) -> None:
    pod.hold(pod.give())
    for ok, said in by_workload(asked, azure["reader"]["client_id"]):
        assert not ok
        assert "AADSTS700211: No matching federated identity record" in said
    for ok, said in by_workload(asked, STRANGER):
        assert not ok
        assert f"AADSTS700016: Application with identifier '{STRANGER}' was not found" in said


def test_a_pod_without_the_webhooks_environment_is_refused(
    asked: Test, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ok, said in by_workload(asked):  # the file is not there
        assert not ok
        assert str(pod.token_file) in said
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE")
    for ok, said in by_workload(asked):
        assert not ok
        assert "'token_file_path'" in said
