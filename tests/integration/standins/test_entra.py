"""azure-identity against the Entra ID stand-in: accepted and refused credentials."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    WorkloadIdentityCredential,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.servers import free_port
from tests.integration.standins.conftest import running

ACR = "https://containerregistry.azure.net"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
SUBJECT = "system:serviceaccount:airflow:worker"
ISSUER = "https://cluster.example/issuer"


@dataclass(frozen=True)
class Directory:
    """A running stand-in and its configuration."""

    authority: str
    tenant: str
    client: dict[str, Any]
    cluster_key: rsa.RSAPrivateKey
    certificate: Path

    @property
    def options(self) -> dict[str, Any]:
        return {"authority": self.authority, "disable_instance_discovery": True}

    def claims(self, token: str) -> dict[str, Any]:
        url = f"{self.authority}/{self.tenant}/discovery/v2.0/keys"
        keys = requests.get(url, verify=str(self.certificate), timeout=5).json()
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        return dict(jwt.decode(token, key, ["RS256"], options={"verify_aud": False}))


@pytest.fixture(scope="module")
def directory(
    identity: dict[str, Any], tls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Directory]:
    folder = tmp_path_factory.mktemp("entra")
    cluster_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "cluster.pub").write_bytes(
        cluster_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    identity["clients"][0]["federated"] = [
        {
            "issuer": ISSUER,
            "subject": SUBJECT,
            "audience": "api://AzureADTokenExchange",
            "public_key_file": str(folder / "cluster.pub"),
        }
    ]
    file = folder / "identity.json"
    file.write_text(json.dumps(identity))
    port = free_port()
    files = ("--identity", file, "--certificate", tls / "tls.crt", "--key", tls / "tls.key")
    with running("azure.entra_server", port, *files):
        authority = f"https://127.0.0.1:{port}"
        client = identity["clients"][0]
        yield Directory(authority, identity["tenant"], client, cluster_key, tls / "tls.crt")


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch, tls: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls / "tls.crt"))


def by_secret(directory: Directory, **changes: str) -> ClientSecretCredential:
    words = {
        "tenant_id": directory.tenant,
        "client_id": directory.client["client_id"],
        "client_secret": directory.client["secret"],
    }
    return ClientSecretCredential(**{**words, **changes}, **directory.options)


def test_a_secret_gets_a_token_for_the_resource_asked_for(directory: Directory) -> None:
    token = by_secret(directory).get_token(f"{ACR}/.default")
    claims = directory.claims(token.token)
    assert claims["aud"] == ACR
    assert claims["iss"] == f"https://sts.windows.net/{directory.tenant}/"
    assert claims["tid"] == directory.tenant
    assert claims["appid"] == directory.client["client_id"]
    assert claims["oid"] == directory.client["object_id"]
    assert abs(token.expires_on - time.time() - 3600) < 30


@pytest.mark.parametrize("send_chain", [False, True])
def test_a_certificate_gets_a_token(directory: Directory, send_chain: bool) -> None:
    pem = directory.client["certificate_key"] + directory.client["certificate"]
    credential = CertificateCredential(
        directory.tenant,
        directory.client["client_id"],
        certificate_data=pem.encode(),
        send_certificate_chain=send_chain,
        **directory.options,
    )
    assert directory.claims(credential.get_token(f"{AKS}/.default").token)["aud"] == AKS


def test_another_applications_certificate_is_refused(
    directory: Directory, identity: dict[str, Any]
) -> None:
    other = identity["clients"][1]
    credential = CertificateCredential(
        directory.tenant,
        directory.client["client_id"],
        certificate_data=(other["certificate_key"] + other["certificate"]).encode(),
        **directory.options,
    )
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        credential.get_token(f"{AKS}/.default")


def service_account_token(directory: Directory, **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": ["api://AzureADTokenExchange"],
        "exp": int(time.time()) + 600,
    }
    return jwt.encode({**claims, **changes}, directory.cluster_key, "RS256")


def by_workload(directory: Directory, file: Path, token: str) -> WorkloadIdentityCredential:
    file.write_text(token)
    return WorkloadIdentityCredential(
        tenant_id=directory.tenant,
        client_id=directory.client["client_id"],
        token_file_path=str(file),
        **directory.options,
    )


def test_a_trusted_service_account_gets_a_token(directory: Directory, tmp_path: Path) -> None:
    credential = by_workload(directory, tmp_path / "token", service_account_token(directory))
    assert directory.claims(credential.get_token(f"{ACR}/.default").token)["appidacr"] == "2"


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"sub": "system:serviceaccount:airflow:other"}, "700213"),
        ({"iss": "https://elsewhere.example"}, "700211"),
        ({"aud": "someone-else"}, "700212"),
        ({"exp": int(dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp())}, "700024"),
    ],
)
def test_an_untrusted_service_account_gets_no_token(
    directory: Directory, tmp_path: Path, changes: dict[str, Any], number: str
) -> None:
    token = service_account_token(directory, **changes)
    credential = by_workload(directory, tmp_path / "token", token)
    with pytest.raises(ClientAuthenticationError, match=f"AADSTS{number}"):
        credential.get_token(f"{ACR}/.default")


@pytest.mark.parametrize(
    ("changes", "scope", "number"),
    [
        ({"client_secret": "wrong"}, f"{ACR}/.default", "7000215"),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, f"{ACR}/.default", "700016"),
        ({}, "https://unknown.example/.default", "500011"),
        ({}, f"{ACR}/read", "1002012"),
    ],
)
def test_unknown_applications_and_resources_are_refused(
    directory: Directory, changes: dict[str, str], scope: str, number: str
) -> None:
    with pytest.raises(ClientAuthenticationError, match=f"AADSTS{number}"):
        by_secret(directory, **changes).get_token(scope)


def test_another_tenant_is_not_found(directory: Directory) -> None:
    other = "22222222-2222-2222-2222-222222222222"
    answer = requests.post(
        f"{directory.authority}/{other}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials"},
        verify=str(directory.certificate),
        timeout=5,
    )
    assert answer.status_code == 400
    assert "AADSTS90002" in answer.json()["error_description"]
