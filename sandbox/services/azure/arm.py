"""The Azure Resource Manager stand-in, which lists the sandbox's cluster under two names.

``CLUSTER`` is an AKS cluster with Entra ID: the API server accepts tokens of the Entra ID stand-in.
``LOCAL_CLUSTER`` is the same API server as an AKS cluster with local accounts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import requests

from sandbox.core import credentials, pki, process
from sandbox.core.part import Part, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.kubernetes import control_plane
from sandbox.kubernetes import files as cluster_files
from sandbox.services.azure import entra
from sandbox.services.azure.kubeconfigs import SERVER_APPLICATION

GROUP = "sandbox"
CLUSTER = "sandbox-aks"
LOCAL_CLUSTER = "sandbox-local"
_ROLES = {"deployer": "Azure Kubernetes Service Cluster User Role", "reader": "Reader"}


def subscription() -> str:
    made = credentials.load_or_make("arm", lambda: {"subscription": str(uuid.uuid4())})
    return str(made["subscription"])


def endpoint() -> str:
    return f"https://{SETTINGS.pod_gateway}:{SETTINGS.arm_port}"


def resources() -> dict[str, Any]:
    """The configuration of ``arm_server.py``."""
    known = entra.identity()
    admin = pki.issue(
        "kube-masterclient", common_name="masterclient", organization="system:masters"
    )
    with_entra = {
        "subscription": subscription(),
        "group": GROUP,
        "name": CLUSTER,
        "server": cluster_files.SERVER,
        "ca": str(SETTINGS.ca),
    }
    local = {"client_certificate": str(admin.certificate), "client_key": str(admin.key)}
    return {
        "tenant": known["tenant"],
        "entra_keys": entra.keys_url(),
        "entra_ca": str(SETTINGS.ca),
        "clusters": [with_entra, {**with_entra, "name": LOCAL_CLUSTER, **local}],
        "assignments": [
            {
                "client_id": client["client_id"],
                "scope": f"/subscriptions/{subscription()}",
                "role": _ROLES[client["name"]],
            }
            for client in known["clients"]
        ],
    }


def connection(cluster: str = CLUSTER, client: int = 0) -> dict[str, Any]:
    """An Airflow Connection of type ``aks``, in Airflow's JSON form.

    :param client: index of the tenant's application; the first application may deploy.
    """
    known = entra.identity()
    return {
        "conn_type": "aks",
        "login": known["clients"][client]["client_id"],
        "password": known["clients"][client]["secret"],
        "extra": {
            "subscription_id": subscription(),
            "resource_group": GROUP,
            "cluster_name": cluster,
            "tenant_id": known["tenant"],
            "arm_endpoint": endpoint(),
            "arm_audience": "https://management.azure.com",
            "authority": entra.authority(),
            "disable_instance_discovery": True,
            "verify": str(SETTINGS.ca),
        },
    }


class Arm(Part):
    """Listens with TLS on the pod bridge, because azure-core sends tokens only over TLS."""

    name = "arm"
    needs = ("entra", "cluster")

    def start(self) -> None:
        process.stop(self.name)  # the configuration may have changed
        pair = pki.issue(
            self.name, common_name=SETTINGS.pod_gateway, addresses=[SETTINGS.pod_gateway]
        )
        config = credentials.path("arm-estate")
        credentials.write_private(config, json.dumps(resources(), indent=2))
        program = [sys.executable, "-m", "sandbox.services.azure.arm_server"]
        process.start(
            self.name,
            [
                *program,
                *("--config", config),
                *("--host", SETTINGS.pod_gateway, "--port", str(SETTINGS.arm_port)),
                *("--certificate", pair.certificate, "--key", pair.key),
            ],
            cwd=REPOSITORY,
        )
        wait_until(self._answers, 20, "the ARM stand-in")
        control_plane.authentication()  # the tenant may be new
        wait_until(_tokens_accepted, 30, "the API server's trust in the tenant")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        if json.loads(credentials.path("arm-estate").read_text()) != resources():
            return "it knows an older tenant or cluster"
        return self._answers() or _tokens_accepted()

    def _answers(self) -> str | None:
        try:
            answer = requests.get(endpoint(), verify=str(SETTINGS.ca), timeout=2)
        except (requests.RequestException, OSError) as error:
            return str(error)
        return None if "error" in answer.json() else "something else listens there"

    def stop(self) -> None:
        process.stop(self.name)
        for name in ("arm", "arm-estate"):
            credentials.forget(name)
        # The package keeps kubeconfigs here; the next cluster has another authority.
        kept = Path(tempfile.gettempdir()) / f"manifest-engine-{os.getuid()}"
        shutil.rmtree(kept, ignore_errors=True)

    def where(self) -> str:
        return endpoint()

    def exports(self) -> dict[str, str]:
        if not credentials.path("arm").exists():
            return {}
        return {
            "ARM_ENDPOINT": endpoint(),
            "AZURE_SUBSCRIPTION_ID": subscription(),
            "AKS_RESOURCE_GROUP": GROUP,
            "AKS_CLUSTER": CLUSTER,
            "AKS_LOCAL_CLUSTER": LOCAL_CLUSTER,
        }


def _tokens_accepted() -> str | None:
    """Check that the API server accepts a token of the tenant's first application."""
    known = entra.identity()
    client = known["clients"][0]
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["secret"],
        "scope": f"{SERVER_APPLICATION}/.default",
    }
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    options: dict[str, Any] = {"verify": str(SETTINGS.ca), "timeout": 2}
    try:
        answer = requests.post(
            f"{entra.authority()}/{known['tenant']}/oauth2/v2.0/token", data=form, **options
        )
        token = answer.json()["access_token"]
        answer = requests.post(
            f"{cluster_files.SERVER}/apis/authentication.k8s.io/v1/selfsubjectreviews",
            json=review,
            headers={"Authorization": f"Bearer {token}"},
            **options,
        )
        status = answer.json().get("status")  # a refusal has a string here
        name = status["userInfo"].get("username") if isinstance(status, dict) else None
    except (requests.RequestException, OSError, KeyError) as error:
        return f"no token or no API server ({type(error).__name__})"
    if name != client["object_id"]:
        return f"the API server does not accept the tenant's tokens (HTTP {answer.status_code})"
    return None
