"""The Entra ID stand-in: one tenant with two applications, ``deployer`` and ``reader``."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.core import credentials, pki, process
from sandbox.core.part import Part, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS

_LIFETIME = dt.timedelta(days=30)
RESOURCES = (
    "https://containerregistry.azure.net",
    "https://management.azure.com",
    # The server application of every AKS cluster with Entra ID.
    "6dae42f8-4368-4678-94ff-3960e28e3630",
)


def identity() -> dict[str, Any]:
    """``tenant``, ``clients``, ``resources``, ``token_seconds`` and ``signing_key`` (PEM)."""
    return credentials.load_or_make("entra", _make_identity)


def authority() -> str:
    """The URL for ``AZURE_AUTHORITY_HOST``."""
    return f"https://{SETTINGS.pod_gateway}:{SETTINGS.entra_port}"


def keys_url() -> str:
    return f"{authority()}/{identity()['tenant']}/discovery/v2.0/keys"


def _make_identity() -> dict[str, Any]:
    return {
        "tenant": str(uuid.uuid4()),
        "clients": [_client("deployer", "AcrPush"), _client("reader", "AcrPull")],
        "resources": RESOURCES,
        "token_seconds": 3600,
        "signing_key": _pem(_new_key()),
    }


def _client(name: str, registry_role: str) -> dict[str, Any]:
    """An application with a secret and a self-signed certificate."""
    key = _new_key()
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return {
        "name": name,
        "client_id": str(uuid.uuid4()),
        "object_id": str(uuid.uuid4()),
        "registry_role": registry_role,
        "secret": credentials.password(),
        "secret_expires": (now + _LIFETIME).timestamp(),
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "certificate_key": _pem(key),
        # Federated credentials (workload identity): see assertions.py.
        "federated": [],
    }


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class Entra(Part):
    """Listens with TLS on the pod bridge, because azure-identity requires TLS."""

    name = "entra"
    needs = ("network",)

    def start(self) -> None:
        identity()
        pair = pki.issue(
            self.name, common_name=SETTINGS.pod_gateway, addresses=[SETTINGS.pod_gateway]
        )
        words: list[str | Path] = ["--identity", credentials.path("entra")]
        words += ["--host", SETTINGS.pod_gateway, "--port", str(SETTINGS.entra_port)]
        words += ["--certificate", pair.certificate, "--key", pair.key]
        program = [sys.executable, "-m", "sandbox.services.azure.entra_server"]
        process.start(self.name, [*program, *words], cwd=REPOSITORY)
        wait_until(self.ready, 20, "the Entra ID stand-in")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        try:
            requests.get(keys_url(), verify=str(SETTINGS.ca), timeout=2).raise_for_status()
        except (requests.RequestException, OSError) as error:
            return str(error)
        return None

    def stop(self) -> None:
        process.stop(self.name)
        credentials.forget("entra")

    def where(self) -> str:
        return authority()

    def exports(self) -> dict[str, str]:
        if not credentials.path("entra").exists():
            return {}
        known = identity()
        deployer = known["clients"][0]
        return {
            "ENTRA_AUTHORITY": authority(),
            "ENTRA_TENANT_ID": known["tenant"],
            "ENTRA_CLIENT_ID": deployer["client_id"],
            "ENTRA_CLIENT_SECRET": deployer["secret"],
        }
