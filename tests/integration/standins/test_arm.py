"""The Azure Resource Manager stand-in over a real socket: accepted and refused requests."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import yaml

from tests.integration.standins.azure_stand_ins import SUBSCRIPTION, azure

ARM = "https://management.azure.com"
KUBELOGIN_ARGS = ("--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630")

Call = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def arm(
    identity: dict[str, Any], tls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of the stand-in. The deployer may read credentials, the reader may not."""
    with azure(identity, tls, tmp_path_factory.mktemp("arm")) as found:
        yield found.arm


def signed(identity: dict[str, Any], client: int = 0, **changes: Any) -> str:
    """A token signed by the tenant, with some claims changed."""
    from sandbox.services.azure.entra_server import Tenant

    tenant, known = Tenant(identity), identity["clients"][client]
    claims = jwt.decode(tenant.token(known, ARM, "1"), options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, tenant.key, "RS256", {"kid": tenant.key_id})


@pytest.fixture
def call(arm: str, tls: Path, identity: dict[str, Any]) -> Call:
    def post(
        *,
        token: str | None = None,
        subscription: str = SUBSCRIPTION,
        group: str = "group",
        name: str = "with-entra",
        **query: str,
    ) -> requests.Response:
        path = (
            f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
            f"/Microsoft.ContainerService/managedClusters/{name}/listClusterUserCredential"
        )
        return requests.post(
            arm + path,
            params={"api-version": "2026-08-01", **query},
            headers={"Authorization": f"Bearer {token or signed(identity)}"},
            verify=str(tls / "tls.crt"),
            timeout=10,
        )

    return post


def kubeconfig(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["kubeconfigs"]
    assert found["name"] == "clusterUser"
    return dict(yaml.safe_load(base64.b64decode(found["value"])))


def test_a_cluster_with_entra_id_wants_kubelogin(call: Call, identity: dict[str, Any]) -> None:
    content = kubeconfig(call())
    plugin = content["users"][0]["user"]["exec"]
    assert plugin["command"] == "kubelogin"
    words = plugin["args"]
    assert words[words.index("--server-id") + 1] == KUBELOGIN_ARGS[1]
    assert words[words.index("--tenant-id") + 1] == identity["tenant"]
    assert content["clusters"][0]["cluster"]["server"] == "https://api.example:443"


def test_the_older_format_has_a_provider(call: Call) -> None:
    user = kubeconfig(call(format="azure"))["users"][0]["user"]
    assert user["auth-provider"]["name"] == "azure"


def test_a_cluster_with_local_accounts_hands_out_a_certificate(call: Call) -> None:
    user = kubeconfig(call(name="local", format="exec"))["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]).startswith(b"-----BEGIN")
    assert "exec" not in user


def test_names_are_compared_without_regard_to_case(call: Call) -> None:
    assert call(group="GROUP", name="With-Entra").status_code == 200


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"subscription": "11111111-1111-1111-1111-111111111111"}, (404, "SubscriptionNotFound")),
        ({"subscription": "mine"}, (400, "InvalidSubscriptionId")),
        ({"group": "other"}, (404, "ResourceGroupNotFound")),
        ({"name": "other"}, (404, "ResourceNotFound")),
        ({"format": "yaml"}, (400, "InvalidParameter")),
        ({"api-version": "2010-01-01"}, (400, "NoRegisteredProviderFound")),
        ({"api-version": ""}, (400, "MissingApiVersionParameter")),
    ],
)
def test_unknown_resources_are_refused(
    call: Call, changes: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code(call(**changes)) == expected


def test_the_refusal_of_a_caller_without_the_role_names_the_action(
    call: Call, identity: dict[str, Any]
) -> None:
    answer = call(token=signed(identity, client=1))
    assert code(answer) == (403, "AuthorizationFailed")
    message = answer.json()["error"]["message"]
    assert "managedClusters/listClusterUserCredential/action" in message
    assert identity["clients"][1]["object_id"] in message


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "https://containerregistry.azure.net"}, "InvalidAuthenticationTokenAudience"),
        ({"exp": int(time.time()) - 60}, "ExpiredAuthenticationToken"),
        ({"tid": "22222222-2222-2222-2222-222222222222"}, "InvalidAuthenticationTokenTenant"),
        ({"iss": "https://sts.windows.net/other/"}, "InvalidAuthenticationTokenTenant"),
    ],
)
def test_a_token_for_another_audience_is_refused(
    call: Call, identity: dict[str, Any], claims: dict[str, Any], expected: str
) -> None:
    answer = call(token=signed(identity, **claims))
    assert code(answer) == (401, expected)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_forged_token_is_refused(call: Call, identity: dict[str, Any]) -> None:
    head, body, _ = signed(identity).split(".")
    assert code(call(token=f"{head}.{body}.AAAA")) == (401, "InvalidAuthenticationToken")
    assert code(call(token="nonsense")) == (401, "InvalidAuthenticationToken")


def test_no_token_is_refused(arm: str, tls: Path) -> None:
    answer = requests.post(
        f"{arm}/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers"
        "/Microsoft.ContainerService/managedClusters/x/listClusterUserCredential",
        params={"api-version": "2026-08-01"},
        verify=str(tls / "tls.crt"),
        timeout=10,
    )
    assert code(answer) == (401, "AuthenticationFailed")
