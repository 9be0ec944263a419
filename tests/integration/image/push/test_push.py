"""Pushes with and without faults of the registry: success, or a clear error in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from manifest_engine.domain.core.errors import BuildError, RegistryError
from manifest_engine.hooks.registry.acr import AcrHook

from sandbox.core.settings import SETTINGS
from sandbox.services.azure import entra
from tests.integration.image.conftest import Service
from tests.integration.image.push import fault_proxy
from tests.integration.image.push.fault_proxy import CUT, Fault, FaultProxy

SMALL = {"scripts/Dockerfile": "FROM scratch\nCOPY . /srv\n"}
"""A Dockerfile whose image is small, so that its push is fast."""
UNKNOWN = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'


@pytest.fixture
def proxy(lead_to: Callable[[str], None]) -> Iterator[FaultProxy]:
    """A proxy with faults, as the registry of the Connection."""
    with fault_proxy.running() as made:
        lead_to(made.host)
        yield made


@pytest.fixture
def built(service: Service, proxy: FaultProxy) -> dict[str, Any]:
    return service.build(service.zip(**SMALL))


def test_an_image_that_the_builder_deleted_is_built_again(
    service: Service, docker_host: str
) -> None:
    made = service.build(service.zip(**SMALL))
    client = docker.DockerClient(docker_host)
    client.images.remove(service.plan().image)
    assert service.push(made)["pushed"]
    assert any("no longer has the image" in line for line in service.log)


def test_an_image_is_built_on_another_builder_when_its_builder_is_gone(
    service: Service, connections: Callable[..., None]
) -> None:
    made = service.build(service.zip(**SMALL))
    connections("gone", conn_type="docker", host="tcp://127.0.0.1:1")
    pushed = service.push({**made, "builder": "gone"}, builder="gone,docker_default")
    assert pushed["pushed"]
    assert any("The builder 'gone'" in line for line in service.log)
    with pytest.raises(BuildError, match="No builder can be used") as caught:
        service.push({**made, "builder": "gone", "input": "another"}, version="2", builder="gone")
    assert caught.value.retryable


def test_a_tag_taken_since_the_build_is_not_overwritten(service: Service) -> None:
    late = service.build(service.zip(**SMALL))
    service.ship(service.zip(**SMALL, **{"src/extra.py": "x = 1\n"}))
    with pytest.raises(RegistryError, match="a released version is not overwritten"):
        service.push(late)


def test_a_retry_after_the_push_finds_the_image_pushed(service: Service) -> None:
    made = service.build(service.zip(**SMALL))
    first, second = service.push(made), service.push(made)
    assert first["pushed"]
    assert not second["pushed"]
    assert first["digest"] == second["digest"]


def test_the_error_for_a_wrong_password_says_what_to_correct(
    service: Service, connections: Callable[..., None], sandbox: dict[str, str]
) -> None:
    made = service.build(service.zip(**SMALL))
    connections(
        "acr_default", conn_type="acr", host=sandbox["REGISTRY"], login="sandbox", password="no"
    )
    with pytest.raises(RegistryError, match="correct login and password") as caught:
        service.push(made)
    assert not caught.value.retryable


def by_entra(sandbox: dict[str, str], client_id: str) -> dict[str, Any]:
    """Fields of a Connection to the registry for a service principal, without its secret."""
    extra = {
        "auth": "service_principal",
        "tenant_id": sandbox["ENTRA_TENANT_ID"],
        "authority": sandbox["ENTRA_AUTHORITY"],
        "disable_instance_discovery": True,
    }
    return {"conn_type": "acr", "host": sandbox["REGISTRY"], "login": client_id, "extra": extra}


@pytest.mark.parametrize("proof", ["secret", "certificate"])
def test_a_service_principal_pushes(
    service: Service, connections: Callable[..., None], sandbox: dict[str, str], proof: str
) -> None:
    client = entra.identity()["clients"][0]
    fields = by_entra(sandbox, client["client_id"])
    if proof == "secret":
        fields["password"] = client["secret"]
    else:
        fields["extra"]["certificate"] = client["certificate_key"] + client["certificate"]
    connections("acr_default", **fields)
    assert AcrHook().test_connection()[0]
    _, pushed = service.ship(service.zip(**SMALL))
    assert pushed["pushed"]


def test_the_error_for_a_read_only_identity_names_the_missing_role(
    service: Service, connections: Callable[..., None], sandbox: dict[str, str]
) -> None:
    client = entra.identity()["clients"][1]
    fields = by_entra(sandbox, client["client_id"])
    connections("acr_default", **fields, password=client["secret"])
    made = service.build(service.zip(**SMALL))
    with pytest.raises(RegistryError, match="give its identity the role AcrPush") as caught:
        service.push(made)
    assert SETTINGS.registry in str(caught.value)
    assert not caught.value.retryable


def test_a_locked_tag_is_not_retryable(
    service: Service, proxy: FaultProxy, built: dict[str, Any]
) -> None:
    locked = b'{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}'
    proxy.faults = [Fault("PUT", "/manifests/1.0.0", 405, 9, body=locked)]
    with pytest.raises(RegistryError, match="is locked") as caught:
        service.push(built)
    assert not caught.value.retryable


def test_a_locked_cache_tag_does_not_fail_the_push(
    service: Service, proxy: FaultProxy, built: dict[str, Any]
) -> None:
    proxy.faults = [Fault("PUT", "/manifests/cache", 405, 9)]
    assert service.push(built)["pushed"]
    assert any("The build cache was not pushed" in line for line in service.log)


def test_a_deleted_cache_tag_does_not_fail_the_build(service: Service) -> None:
    service.ship(service.zip(**SMALL))
    service.forget("cache")
    _, pushed = service.ship(service.zip(**SMALL, **{"src/extra.py": "x = 1\n"}), version="1.0.1")
    assert pushed["pushed"]
    assert AcrHook().api.find(f"datafactory/tests/{service.name}", "cache") is not None


def test_too_many_requests_is_retryable(
    service: Service, proxy: FaultProxy, built: dict[str, Any]
) -> None:
    proxy.faults = [Fault("PUT", "/manifests/1.0.0", 429, 9, {"Retry-After": "1"})]
    with pytest.raises(RegistryError) as caught:
        service.push(built)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PATCH", "/blobs/uploads/", 503),
        Fault("PATCH", "/blobs/uploads/", CUT),
        Fault("PATCH", "/blobs/uploads/", 401),
        Fault("PUT", "/manifests/1.0.0", 500),
        Fault("GET", "/manifests/1.0.0", 404, 3, body=UNKNOWN),
        Fault("GET", "/manifests/1.0.0", 503),
    ],
    ids=["503", "cut", "401", "500-manifest", "unknown", "503-read"],
)
def test_one_bad_answer_is_survived_or_retryable(
    service: Service, proxy: FaultProxy, built: dict[str, Any], fault: Fault
) -> None:
    proxy.faults = [Fault(**vars(fault))]
    pushed = _push_with_a_retry(service, built)
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert pushed["digest"] == found.digest


def _push_with_a_retry(service: Service, built: dict[str, Any]) -> dict[str, Any]:
    try:
        return service.push(built)
    except RegistryError as error:
        if not error.retryable:
            raise
    return service.push(built)


def test_a_push_to_a_failing_registry_ends_and_delays_no_other_push(
    service: Service,
    proxy: FaultProxy,
    built: dict[str, Any],
    lead_to: Callable[[str], None],
    sandbox: dict[str, str],
) -> None:
    proxy.faults = [Fault("POST", "/blobs/uploads/", 503, 10_000)]
    begin = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        service.push(built)
    assert caught.value.retryable
    assert time.monotonic() - begin < 30
    lead_to(sandbox["REGISTRY"])
    begin = time.monotonic()
    service.ship(service.zip(**SMALL, **{"src/extra.py": "x = 1\n"}))
    assert time.monotonic() - begin < 10
