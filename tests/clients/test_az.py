"""Microsoft's ``az`` against the stand-ins of Entra ID, ARM, AKS and ACR."""

from __future__ import annotations

import json
import subprocess

from sandbox.services.azure import arm, entra
from tests.clients.conftest import REGISTRY, REPOSITORY


def test_a_service_principal_logs_in_to_its_subscription(az):
    found = json.loads(az("account", "show"))
    assert (found["id"], found["tenantId"]) == (arm.subscription(), entra.identity()["tenant"])
    assert found["user"]["type"] == "servicePrincipal"


def test_a_wrong_secret_gives_the_error_code_of_entra_id(logged_out_az, tmp_path):
    client = entra.identity()["clients"][1]
    said = logged_out_az(
        *("login", "--service-principal", "--tenant", entra.identity()["tenant"]),
        *("--username", client["client_id"], "--password", "wrong"),
        fails=True,
    )
    assert "AADSTS7000215" in said


def test_the_kubeconfig_of_a_cluster_with_local_accounts_works(az, tmp_path):
    where = ("--resource-group", arm.GROUP, "--name", arm.LOCAL_CLUSTER)
    az("aks", "get-credentials", *where, "--file", tmp_path / "kubeconfig")
    words = [
        "kubectl",
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "get",
        "namespaces",
        "-o=name",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "namespace/kube-system" in done.stdout


def test_the_kubeconfig_of_a_cluster_with_entra_id_calls_kubelogin(az, tmp_path):
    where = ("--resource-group", arm.GROUP, "--name", arm.CLUSTER)
    az("aks", "get-credentials", *where, "--file", tmp_path / "kubeconfig")
    assert "command: kubelogin" in (tmp_path / "kubeconfig").read_text()
    shown = json.loads(az("aks", "show", *where))
    assert shown["aadProfile"]["managed"]
    assert shown["disableLocalAccounts"]


def test_a_registry_is_found_by_its_name(az, front):
    found = json.loads(az("acr", "show", "--name", REGISTRY))
    assert found["loginServer"] == front


def test_repositories_are_listed(az, digest):
    assert REPOSITORY in json.loads(az("acr", "repository", "list", "--name", REGISTRY))


def test_attached_artifacts_are_listed(az, oras, digest, front, tmp_path):
    (tmp_path / "sbom.json").write_text("{}")
    words = ("attach", "--disable-path-validation", "--artifact-type", "application/vnd.az+json")
    oras(*words, f"{front}/{REPOSITORY}@{digest}", tmp_path / "sbom.json")
    name = f"{REPOSITORY}@{digest}"
    listed = json.loads(az("acr", "manifest", "list-referrers", "-r", REGISTRY, "-n", name))
    kinds = [item["artifactType"] for item in listed["manifests"]]
    assert "application/vnd.az+json" in kinds
