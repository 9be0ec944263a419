"""The names of Artifactory, the registry and the API server cannot be resolved for a while."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sandbox.airflow.deploy import follow
from tests.compose.conftest import log
from tests.e2e.conftest import SESSION, Service
from tests.faults.machine.hosts import forgotten, known
from tests.faults.machine.named_registry import add_to_pull_secret, named_registry
from tests.faults.moments import begin, reached, slow, told
from tests.faults.spare import NAME, connection, spare_environment

ARTIFACTORY, REGISTRY, CLUSTER = (
    f"{system}-{SESSION}.test" for system in ("artifactory", "registry", "cluster")
)
"""Nobody can register a name below ``test``. Source: RFC 6761, 6.2."""
UNKNOWN = re.compile("name or service not known|name resolution", re.IGNORECASE)
"""The system's words for a name that does not exist, and for a resolver that does not answer."""
AWAY_SECONDS = 20


@pytest.fixture(scope="module")
def named(cluster, api, environment) -> Iterator[Service]:
    """A live service of an environment that knows its outside systems by names."""
    url = urlsplit(environment["ARTIFACTORY_URL"])
    assert url.hostname == "127.0.0.1"
    store = {
        "host": f"{url.scheme}://{ARTIFACTORY}:{url.port}{url.path}",
        "password": environment["ARTIFACTORY_TOKEN"],
    }
    login = {
        "login": environment["REGISTRY_USER"],
        "password": environment["REGISTRY_PASSWORD"],
    }
    with (
        known(ARTIFACTORY, REGISTRY, CLUSTER),
        connection(api, f"{NAME}-artifactory", "artifactory", **store) as artifactory,
        named_registry(REGISTRY) as place,
        connection(api, f"{NAME}-registry", "acr", host=place, **login) as registry,
        spare_environment(
            cluster,
            api,
            host=CLUSTER,
            artifactory={"connection": artifactory, "repository": "datafactory"},
            registry={"connection": registry},
        ) as spare,
    ):
        add_to_pull_secret(cluster, spare.name, place)
        made = Service("plain-service", f"faults-dns-{SESSION}")
        first = made.deploy(environment=spare.name)
        assert first.ok, f"{first.failed_step}: {first.error}"
        yield made


@pytest.mark.parametrize(
    ("what", "name", "step"),
    [
        ("Artifactory", ARTIFACTORY, "download_artifact"),
        ("the registry", REGISTRY, "build_image"),
        ("the API server", CLUSTER, "smoke_test"),
    ],
    ids=["artifactory", "registry", "api-server"],
)
def test_a_name_that_is_unknown_from_the_start(*, faults, named, load, api, what, name, step):
    expected = (
        f"{step} says which name cannot be resolved; once it can be, a retry succeeds; the old "
        "release serves on"
    )
    with faults.case(f"DNS does not know {what} from the start of a run", expected) as case:
        code = named.source("plain-service", f"after-{step}")
        with load(named) as found:
            with forgotten(name):
                run_id = begin(api, named, code, version=f"13.{step}")
                said = told(api, run_id, step, "error")
            outcome = follow(api, run_id)
        tries = outcome.steps[step]["tries"]
        case.seen = f"{said.splitlines()[0]} Then {outcome.state}, tries of {step}: {tries}"
        assert name in said
        assert UNKNOWN.search(said)
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries > 1
        case.load(found)


def test_the_name_of_the_api_server_unknown_in_a_rollout(*, faults, named, load, api):
    expected = (
        "the triggerer says that the name cannot be resolved and waits on, and the run succeeds; "
        "no request fails"
    )
    name = f"DNS does not know the API server for {AWAY_SECONDS} s while the triggerer waits"
    with faults.case(name, expected) as case:
        with load(named) as found:
            run_id = begin(api, named, slow(named, AWAY_SECONDS + 5), version="13.25")
            reached(run_id, "apply_deployment", "deferred")
            with forgotten(CLUSTER):
                time.sleep(AWAY_SECONDS)
            outcome = follow(api, run_id)
        said = UNKNOWN.search(log(api, run_id, "apply_deployment"))
        tries = outcome.steps["apply_deployment"]["tries"]
        case.seen = f"{said and said[0]}; {outcome.state}, tries: {tries}"
        assert said
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries == 1
        case.load(found)
