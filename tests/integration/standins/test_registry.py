"""The sandbox's registry for clients of ACR: token protocol, login, push and pull."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import jwt
import pytest
import requests
from docker.errors import APIError

from sandbox.core.settings import SETTINGS
from sandbox.engine.base_image import IMAGE
from sandbox.engine.engine import Engine
from sandbox.services.azure import entra
from sandbox.services.registry.registry import Registry, login
from tests.integration.parts import require

ZERO_USER = "00000000-0000-0000-0000-000000000000"
TOKENS = f"https://{SETTINGS.pod_gateway}:{SETTINGS.token_port}/oauth2"
ACR = "https://containerregistry.azure.net"


@pytest.fixture(scope="module", autouse=True)
def parts() -> None:
    require(Engine(), Registry(), entra.Entra())


def post(path: str, **form: str) -> requests.Response:
    return requests.post(f"{TOKENS}/{path}", data=form, verify=str(SETTINGS.ca), timeout=5)


def entra_token(number: int, resource: str = ACR) -> str:
    known = entra.identity()
    form = {
        "grant_type": "client_credentials",
        "client_id": known["clients"][number]["client_id"],
        "client_secret": known["clients"][number]["secret"],
        "scope": f"{resource}/.default",
    }
    url = f"{entra.authority()}/{known['tenant']}/oauth2/v2.0/token"
    answer = requests.post(url, data=form, verify=str(SETTINGS.ca), timeout=5)
    return str(answer.json()["access_token"])


def exchange(token: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "access_token",
        "service": SETTINGS.registry,
        "tenant": entra.identity()["tenant"],
        "access_token": token,
    }
    return post("exchange", **{**form, **changes})


def refresh_token(number: int) -> str:
    return str(exchange(entra_token(number)).json()["refresh_token"])


def access_token(refresh: str, scope: str, service: str = SETTINGS.registry) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": scope}
    return post("token", **form, service=service)


def test_the_challenge_names_realm_service_and_scope() -> None:
    url = f"https://{SETTINGS.registry}/v2/datafactory/x/y/manifests/1"
    answer = requests.get(url, verify=str(SETTINGS.ca), timeout=5)
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert f'realm="{TOKENS}/token"' in challenge
    assert f'service="{SETTINGS.registry}"' in challenge
    assert 'scope="repository:datafactory/x/y:pull"' in challenge


def test_an_entra_token_is_exchanged_twice_for_access_to_the_registry() -> None:
    refresh = refresh_token(0)
    expires = jwt.decode(refresh, options={"verify_signature": False})["exp"]
    assert abs(expires - time.time() - 3 * 3600) < 60
    token = access_token(refresh, "repository:datafactory/x/y:pull,push").json()["access_token"]
    answer = requests.post(
        f"https://{SETTINGS.registry}/v2/datafactory/x/y/blobs/uploads/",
        headers={"Authorization": f"Bearer {token}"},
        verify=str(SETTINGS.ca),
        timeout=5,
    )
    assert answer.status_code == 202


def test_a_reader_is_granted_only_pull() -> None:
    token = access_token(refresh_token(1), "repository:a/b:pull,push").json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["access"] == [{"type": "repository", "name": "a/b", "actions": ["pull"]}]


@pytest.mark.parametrize(
    "changes",
    [{"service": "other.example"}, {"tenant": str(uuid.uuid4())}, {"access_token": "no.to.ken"}],
)
def test_an_exchange_for_another_service_tenant_or_token_is_refused(
    changes: dict[str, str],
) -> None:
    answer = exchange(entra_token(0), **changes)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_token_for_another_audience_is_refused() -> None:
    assert exchange(entra_token(0, "https://management.azure.com")).status_code == 401


def test_a_token_that_entra_did_not_sign_is_refused() -> None:
    claims = jwt.decode(entra_token(0), options={"verify_signature": False})
    assert exchange(jwt.encode(claims, "forged" * 8, "HS256")).status_code == 401


def test_a_refresh_token_is_valid_only_for_its_service_and_cannot_be_forged() -> None:
    refresh = refresh_token(0)
    assert access_token(refresh, "repository:a/b:pull", "other.example").status_code == 401
    claims = jwt.decode(refresh, options={"verify_signature": False})
    forged = jwt.encode(claims, "forged" * 8, "HS256")
    assert access_token(forged, "repository:a/b:pull").status_code == 401


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client = docker.DockerClient(base_url=Engine().host, timeout=30)
    yield client
    client.close()


@pytest.fixture
def image(engine: Any) -> Iterator[str]:
    """The base image in its own repository, so that its layers are pushed once."""
    name = f"{SETTINGS.registry}/sandbox-tests/{uuid.uuid4().hex[:8]}"
    engine.images.get(IMAGE).tag(name, "1")
    yield name
    engine.images.remove(f"{name}:1")


def push(engine: Any, name: str, user: str, password: str) -> list[dict[str, Any]]:
    auth = {"username": user, "password": password}
    return list(engine.api.push(name, "1", stream=True, decode=True, auth_config=auth))


@pytest.mark.parametrize("who", ["admin", "entra"])
def test_the_engine_pushes_with_a_password_and_with_a_refresh_token(
    engine: Any, image: str, who: str
) -> None:
    known = (ZERO_USER, refresh_token(0)) if who == "entra" else tuple(login().values())
    digest = [event["aux"]["Digest"] for event in push(engine, image, *known) if "aux" in event]
    pulled = engine.images.pull(
        image, "1", auth_config={"username": known[0], "password": known[1]}
    )
    assert digest
    assert any(digest[0] in name for name in pulled.attrs["RepoDigests"])


def test_a_wrong_password_is_unauthorized(engine: Any, image: str) -> None:
    events = push(engine, image, login()["user"], "wrong")
    assert any("unauthorized" in event.get("error", "") for event in events)


def test_a_reader_cannot_push(engine: Any, image: str) -> None:
    events = push(engine, image, ZERO_USER, refresh_token(1))
    assert any("denied" in event.get("error", "") for event in events)


def test_a_wrong_login_is_refused(engine: Any) -> None:
    with pytest.raises(APIError, match="unauthorized"):
        engine.login("sandbox", "wrong", registry=SETTINGS.registry, reauth=True)
