"""Private packages come from the private index, also if a public index has the same names.

The public index has a higher version of each private package, as an attacker would upload it.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build, PackageIndex

from sandbox.core.settings import SETTINGS
from tests.integration.image.index import indexes
from tests.integration.image.index.test_secrets import content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.image.conftest import Service

LOGIN = ("builds", secrets.token_urlsafe(12))
ORIGINS = "import acme_rates, internal_utils; print(internal_utils.ORIGIN, acme_rates.ORIGIN)"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the wheels of both indexes. internal-utils requires acme-rates."""
    made = {}
    for origin, version in (("private", "1.4.2"), ("public", "99.0")):
        folder = made[origin] = tmp_path_factory.mktemp(origin)
        indexes.package(folder, "internal-utils", version, origin, "acme-rates>=1")
        indexes.package(folder, "acme-rates", version, origin)
    return made


@pytest.fixture(scope="module")
def public(wheels: dict[str, Path]) -> Iterator[str]:
    with indexes.index(wheels["public"], login=None, proxies_public=True) as url:
        yield url


@pytest.fixture(scope="module")
def private(wheels: dict[str, Path]) -> Iterator[str]:
    """A private index with only private packages."""
    with indexes.index(wheels["private"], login=LOGIN, proxies_public=False) as url:
        yield url


@pytest.fixture(scope="module")
def proxying(wheels: dict[str, Path]) -> Iterator[str]:
    """A private index that redirects to the public index for all other packages."""
    with indexes.index(wheels["private"], login=LOGIN, proxies_public=True) as url:
        yield url


@pytest.fixture
def use(service: Service, connections: Callable[..., None], public: str) -> Callable[..., None]:
    """Configures the index of the service's environment, with keys of packageIndex."""

    def configure(url: str, extra: dict[str, str] | None = None, **fields: Any) -> None:
        user, password = LOGIN
        connections(
            "index_test",
            conn_type="http",
            host=url,
            login=user,
            password=password,
            extra=extra or {},
        )
        given = {"connection": "index_test", "publicUrl": public, **fields}
        index = PackageIndex.model_validate(given)
        service.environment = service.environment.model_copy(update={"package_index": index})

    service.own_packages = True
    return configure


def test_a_private_dependency_of_a_private_package_comes_from_the_private_index(
    service: Service, use: Callable[..., None], private: str, run: Any
) -> None:
    use(private, mode="first")
    built = service.build(service.zip(), utilsVersion="1.4.2")
    assert run(built["image_id"], "python", "-c", ORIGINS) == "private private\n"
    assert run(built["image_id"], "python", "-c", "import flask; print('there')") == "there\n"


def test_all_packages_come_from_the_private_index_by_default(
    service: Service, use: Callable[..., None], proxying: str, run: Any
) -> None:
    use(proxying)
    built = service.build(service.zip(), utilsVersion="1.4.2")
    assert run(built["image_id"], "python", "-c", ORIGINS) == "private private\n"
    assert run(built["image_id"], "python", "-c", "import flask; print('there')") == "there\n"


def test_a_package_that_the_private_index_lacks_fails_the_build_by_default(
    service: Service, use: Callable[..., None], private: str
) -> None:
    use(private)
    with pytest.raises(BuildError, match=r"pip finds no package flask==3\.1\.3"):
        service.build(service.zip(), utilsVersion="1.4.2")


@pytest.mark.parametrize("mode", ["only", "first"])
def test_requirements_may_name_private_packages(
    service: Service, use: Callable[..., None], proxying: str, run: Any, mode: str
) -> None:
    use(proxying, mode=mode, offeredTo="all")
    requirements = f"internal-utils  # {service.name}\n"
    built = service.build(service.zip(**{"lib/requirements.txt": requirements}))
    assert run(built["image_id"], "python", "-c", ORIGINS) == "private private\n"


def test_the_cache_has_no_layer_of_packages_from_another_index(
    service: Service, use: Callable[..., None], public: str, proxying: str, run: Any
) -> None:
    artifact = service.zip(**{"lib/requirements.txt": f"internal-utils  # {service.name}\n"})
    use(public, offeredTo="all")
    built = service.build(artifact)
    assert run(built["image_id"], "python", "-c", ORIGINS) == "public public\n"
    use(proxying, offeredTo="all")
    built = service.build(artifact)
    assert run(built["image_id"], "python", "-c", ORIGINS) == "private private\n"


OWN = """FROM python:3.11
RUN --mount=type=secret,id=pip_conf [ -s /run/secrets/pip_conf ]; echo {name} ended with $?
"""


@pytest.mark.parametrize(
    ("offered_to", "manifest"),
    [("utilsVersion", {}), ("utilsVersion", {"utilsVersion": "1.4.2"}), ("all", {})],
)
def test_only_a_build_that_requests_the_login_of_the_index_gets_the_login(
    service: Service,
    use: Callable[..., None],
    private: str,
    offered_to: str,
    manifest: dict[str, str],
) -> None:
    use(private, offeredTo=offered_to)
    offered = bool(manifest) or offered_to == "all"
    own = OWN.format(name=service.name)
    service.build(service.zip(**{"scripts/Dockerfile": own}), **manifest)
    assert _printed(service, f" {service.name} ended with {0 if offered else 1}")


def test_proxy_and_authority_of_the_index_reach_the_build_but_no_layer(
    service: Service, use: Callable[..., None], private: str, docker_host: str, run: Any
) -> None:
    proxy_login = ("robot", secrets.token_urlsafe(12))
    with indexes.tls_before(private) as url, indexes.proxy(proxy_login) as proxy:
        proxy_url = f"http://{':'.join(proxy_login)}@{indexes.HOST}:{proxy.port}"
        use(url, {"proxy": proxy_url}, mode="first", publicUrl=None)
        with pytest.raises(BuildError):
            service.build(service.zip(), utilsVersion="1.4.2")
        extra = {"proxy": proxy_url, "ca_cert": SETTINGS.ca.read_text()}
        use(url, extra, mode="first", publicUrl=None)
        built, pushed = service.ship(service.zip(), utilsVersion="1.4.2")
    assert run(built["image_id"], "python", "-c", ORIGINS) == "private private\n"
    assert any(tunnel in url for tunnel in proxy.tunnels)
    client = docker.from_env(environment={"DOCKER_HOST": docker_host})
    everything = {
        "log": "\n".join(service.log).encode(),
        "XCom": json.dumps([built, pushed]).encode(),
        "history": json.dumps(client.images.get(built["image_id"]).history()).encode(),
        "content": b"".join(content_of(client, built["image_id"])),
    }
    for secret in (LOGIN[1], proxy_login[1], SETTINGS.ca.read_text().splitlines()[1]):
        assert [where for where, text in everything.items() if secret.encode() in text] == []


def test_the_proxy_of_the_environment_serves_every_step_and_is_not_in_the_history(
    service: Service, docker_host: str
) -> None:
    build = Build.model_validate({"proxy": "http://proxy.example.com:3128", "noProxy": ".internal"})
    own = f"FROM python:3.11\nRUN echo {service.name} $HTTPS_PROXY $http_proxy $no_proxy\n"
    built = service.build(service.zip(**{"scripts/Dockerfile": own}), environment={"build": build})
    proxy = "http://proxy.example.com:3128"
    assert _printed(service, f"{service.name} {proxy} {proxy} .internal")
    client = docker.from_env(environment={"DOCKER_HOST": docker_host})
    assert "proxy.example.com" not in json.dumps(client.images.get(built["image_id"]).history())


def _printed(service: Service, text: str) -> bool:
    return any(text in line for line in service.log)
