"""The stand-in for the instance metadata service refuses the same requests as IMDS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from tests.integration.servers import free_port
from tests.integration.standins.conftest import running

ARM = "https://management.azure.com"
ASKED = {"api-version": "2018-02-01", "resource": ARM}
METADATA = {"Metadata": "true"}


@pytest.fixture(scope="module")
def url(identity: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A machine with two user-assigned identities and no system-assigned identity."""
    file = tmp_path_factory.mktemp("imds") / "identity.json"
    file.write_text(json.dumps(identity))
    users = [word for one in identity["clients"] for word in ("--user", one["client_id"])]
    port = free_port()
    with running("azure.imds_server", port, "--identity", file, *users):
        yield f"http://127.0.0.1:{port}/metadata/identity/oauth2/token"


@pytest.mark.parametrize("selector", ["client_id", "object_id"])
def test_an_assigned_identity_gets_a_token(
    url: str, identity: dict[str, Any], selector: str
) -> None:
    client = identity["clients"][1]
    asked = {**ASKED, selector: client[selector]}
    answer = requests.get(url, params=asked, headers=METADATA, timeout=5)
    told = answer.json()
    claims = jwt.decode(told["access_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["appid"]) == (ARM, client["client_id"])
    assert told["expires_on"] == str(claims["exp"])
    assert told["client_id"] == client["client_id"]


@pytest.mark.parametrize(
    ("changes", "headers", "said"),
    [
        ({}, {}, "Required metadata header not specified"),
        ({}, {"Metadata": "false"}, "Required metadata header not specified"),
        ({}, {**METADATA, "X-Forwarded-For": "192.0.2.1"}, "X-Forwarded-For"),
        ({"api-version": None}, METADATA, "'api-version' is missing"),
        ({"api-version": "2001-01-01"}, METADATA, "api-version is invalid"),
        ({"resource": None}, METADATA, "Required audience parameter not specified"),
        ({"resource": "https://unknown.example"}, METADATA, "AADSTS500011"),
        ({"client_id": "3" * 8}, METADATA, "Identity not found"),
        ({}, METADATA, "Multiple user assigned identities exist"),
    ],
)
def test_requests_that_imds_refuses_are_refused(
    url: str,
    identity: dict[str, Any],
    changes: dict[str, str | None],
    headers: dict[str, str],
    said: str,
) -> None:
    asked = {**ASKED, **changes}
    if said.startswith("AADSTS"):
        asked["client_id"] = identity["clients"][0]["client_id"]
    answer = requests.get(url, params=asked, headers=headers, timeout=5)
    assert answer.status_code == 400
    assert said in answer.json()["error_description"]
