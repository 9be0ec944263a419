"""Our hook when Entra ID and Azure Resource Manager limit requests or revoke tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.azure.arm import ManagedCluster, ResourceManager
from manifest_engine.hooks.azure.identity import AzureIdentity

from tests.integration.standins.azure_stand_ins import GROUP, SUBSCRIPTION, Azure, azure

CLUSTER = ManagedCluster(SUBSCRIPTION, GROUP, "with-entra")
SCOPE = "https://management.azure.com/.default"


@pytest.fixture(scope="module")
def stand_ins(
    identity: dict[str, Any], tls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Azure]:
    with azure(identity, tls, tmp_path_factory.mktemp("azure")) as found:
        yield found


@pytest.fixture
def both(stand_ins: Azure) -> Iterator[Azure]:
    yield stand_ins
    for url in (stand_ins.authority, stand_ins.arm):
        stand_ins.switch(url, throttled=0, revoked_before=0)


@pytest.fixture
def who(both: Azure) -> AzureIdentity:
    client = both.identity["clients"][0]
    extra = {
        "auth": "service_principal",
        "tenant_id": both.identity["tenant"],
        "authority": both.authority,
        "disable_instance_discovery": True,
    }
    return AzureIdentity(
        "aks_faults",
        login=client["client_id"],
        password=client["secret"],
        extra=extra,
        verify=str(both.ca),
    )


@pytest.fixture
def arm(both: Azure) -> ResourceManager:
    return ResourceManager(both.arm, verify=str(both.ca))


def test_the_hook_waits_for_the_limits_of_entra_id_and_arm(both, who, arm):
    both.switch(both.authority, throttled=1)
    both.switch(both.arm, throttled=1)
    begin = time.monotonic()
    assert b"kubelogin" in arm.user_kubeconfig(CLUSTER, who)
    assert time.monotonic() - begin >= 2


def test_a_lasting_limit_of_entra_id_is_a_retryable_error(both, who):
    both.switch(both.authority, throttled=100)
    with pytest.raises(ClusterError, match=r"AADSTS90055.*too many incoming requests") as caught:
        who.token(SCOPE)
    assert caught.value.retryable
    assert "correlation id" in str(caught.value)


def test_a_lasting_limit_of_arm_is_a_retryable_error(both, who, arm):
    both.switch(both.arm, throttled=100)
    with pytest.raises(ClusterError, match="ResourceRequestsThrottled") as caught:
        arm.user_kubeconfig(CLUSTER, who)
    assert caught.value.retryable


def test_a_revoked_token_is_replaced_once(both, who, arm):
    old = who.token(SCOPE)
    time.sleep(1.1)
    both.switch(both.arm, revoked_before=int(time.time()))
    assert b"kubelogin" in arm.user_kubeconfig(CLUSTER, who)
    assert old


def test_a_policy_that_refuses_every_token_is_named(both, who, arm):
    both.switch(both.arm, revoked_before=int(time.time()) + 3600)
    with pytest.raises(ClusterError, match="Conditional Access policy") as caught:
        arm.user_kubeconfig(CLUSTER, who)
    assert not caught.value.retryable


def test_arm_lists_only_resources_that_the_caller_may_read(both, who):
    def get(path: str, client: int = 1) -> requests.Response:
        known = both.identity["clients"][client]
        form = {
            "grant_type": "client_credentials",
            "client_id": known["client_id"],
            "client_secret": known["secret"],
            "scope": SCOPE,
        }
        url = f"{both.authority}/{both.identity['tenant']}/oauth2/v2.0/token"
        token = requests.post(url, data=form, verify=str(both.ca), timeout=5).json()
        return requests.get(
            f"{both.arm}{path}",
            params={"api-version": "2026-08-01"},
            headers={"Authorization": f"Bearer {token['access_token']}"},
            verify=str(both.ca),
            timeout=5,
        )

    (found,) = get("/subscriptions").json()["value"]
    assert (found["subscriptionId"], found["state"]) == (SUBSCRIPTION, "Enabled")
    cluster = get(str(CLUSTER)).json()
    assert cluster["id"] == str(CLUSTER)
    assert cluster["properties"]["aadProfile"]["tenantID"] == both.identity["tenant"]
    registry = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
        "/Microsoft.ContainerRegistry/registries/sandboxacr"
    )
    assert get(registry).json()["properties"]["loginServer"] == "registry.example.com"
    assert get(registry, client=0).json()["error"]["code"] == "AuthorizationFailed"
    listed = get(f"/subscriptions/{SUBSCRIPTION}/resources", client=0).json()["value"]
    assert {item["name"] for item in listed} == {"with-entra", "local"}
