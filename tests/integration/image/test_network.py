"""The network of RUN steps, with and without ``build.network: restricted``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build

from tests.integration.image import restricted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.image.conftest import Service

RESTRICTED = {"build": Build(network="restricted")}
DOCKERFILE = """FROM python:3.11
RUN python3 - <<'END'
# {name}
import socket
for address in {addresses}:
    try:
        socket.create_connection(address, timeout=3).close()
    except OSError as error:
        print("closed:", address[0])
    else:
        print("open:", address[0])
END
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with restricted.running() as daemon:
        yield daemon.host


def reached(service: Service, **how: object) -> dict[str, bool]:
    """Whether a RUN step can connect, by address."""
    addresses = [(address, restricted.PORT) for address in restricted.NEIGHBOURS]
    own = DOCKERFILE.format(name=service.name, addresses=[*addresses, restricted.INDEX])
    service.build(service.zip(**{"scripts/Dockerfile": own}), **how)
    said = [line.split() for line in service.log]
    words = [line[-2:] for line in said if line[-2:-1] in (["open:"], ["closed:"])]
    return {address: word == "open:" for word, address in words}


def test_a_restricted_run_step_reaches_only_the_allowed_index(
    service: Service, connections: Callable[..., None], engine: str
) -> None:
    connections("restricted", conn_type="docker", host=engine)
    closed = dict.fromkeys(restricted.NEIGHBOURS, False)
    found = reached(service, builder="restricted", environment=RESTRICTED)
    assert found == {**closed, restricted.INDEX[0]: True}


def test_a_run_step_on_an_open_builder_reaches_all_addresses(service: Service, engine: str) -> None:
    opened = dict.fromkeys(restricted.NEIGHBOURS, True)
    assert reached(service) == {**opened, restricted.INDEX[0]: True}


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://example.com/a.git#main"])
def test_add_of_a_url_is_refused_in_a_restricted_environment(
    service: Service, connections: Callable[..., None], engine: str, url: str
) -> None:
    connections("restricted", conn_type="docker", host=engine)
    own = f"FROM python:3.11\nADD {url} /x\n"
    with pytest.raises(BuildError, match="restricts the network of builds") as caught:
        service.build(
            service.zip(**{"scripts/Dockerfile": own}),
            builder="restricted",
            environment=RESTRICTED,
        )
    assert not caught.value.retryable


def test_an_open_builder_does_not_build_for_a_restricted_environment(
    service: Service,
) -> None:
    with pytest.raises(BuildError, match="does not restrict the network of builds") as caught:
        service.build(service.zip(), environment=RESTRICTED)
    assert "--label com.manifest-engine.network=restricted" in str(caught.value)
    assert not caught.value.retryable


def test_a_run_step_cannot_use_the_network_of_the_builders_host(service: Service) -> None:
    own = "FROM python:3.11\nRUN --network=host true\n"
    with pytest.raises(BuildError, match=r"network\.host"):
        service.build(service.zip(**{"scripts/Dockerfile": own}))
