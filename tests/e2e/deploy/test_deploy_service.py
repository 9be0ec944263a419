"""``deploy_service`` through the real Airflow: successful and refused deployments."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from kubernetes import client

from sandbox.airflow.deploy import Outcome, follow, upload
from sandbox.core.part import SandboxError
from tests.e2e.conftest import SESSION, Service, remove

STEPS = [
    "validate", "download_artifact", "build_image", "push_image", "smoke_test",
    "apply_deployment", "publish_route", "watch_release", "record_release", "describe_image",
]  # fmt: skip


def registry_answer(
    environment: dict[str, str], repository: str, path: str, accept: str
) -> requests.Response:
    """The registry's answer, after a log-in by the token protocol."""
    base = f"https://{environment['REGISTRY']}"
    login = (environment["REGISTRY_USER"], environment["REGISTRY_PASSWORD"])
    verify = environment["REQUESTS_CA_BUNDLE"]
    url = f"{base}/v2/{repository}/{path}"
    answer = requests.get(url, verify=verify, timeout=10)
    if answer.status_code != 401:
        return answer
    challenge = answer.headers["WWW-Authenticate"].removeprefix("Bearer ")
    words = dict(item.split("=", 1) for item in challenge.replace('"', "").split(","))
    token = requests.get(
        words.pop("realm"), params=words, auth=login, verify=verify, timeout=10
    ).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}", "Accept": accept}
    return requests.get(url, headers=bearer, verify=verify, timeout=10)


def registry_digest(environment: dict[str, str], repository: str, tag: str) -> str:
    """The digest of a tag."""
    accept = (
        "application/vnd.oci.image.manifest.v1+json,"
        "application/vnd.docker.distribution.manifest.v2+json"
    )
    answer = registry_answer(environment, repository, f"manifests/{tag}", accept)
    answer.raise_for_status()
    return answer.headers["Docker-Content-Digest"]


def attached(environment: dict[str, str], repository: str, digest: str) -> list[str]:
    """Artifact types of an image's referrers, by the referrers API or its fallback tag."""
    index = "application/vnd.oci.image.index.v1+json"
    answer = registry_answer(environment, repository, f"referrers/{digest}", index)
    if answer.status_code == 404:
        tag = digest.replace(":", "-")
        answer = registry_answer(environment, repository, f"manifests/{tag}", index)
    answer.raise_for_status()
    return [entry["artifactType"] for entry in answer.json()["manifests"]]


def echo(url: str) -> dict[str, Any]:
    answer = requests.get(f"{url}/echo", timeout=10)
    answer.raise_for_status()
    return answer.json()


def test_a_zip_becomes_a_url_that_answers_and_so_does_changed_code(service, api, apps, environment):
    quotes = service()
    outcome = quotes.deploy(to_end=True)
    assert outcome.ok, outcome.error
    assert [outcome.steps[name]["state"] for name in STEPS] == ["success"] * len(STEPS)
    assert outcome.steps["approve"]["state"] == "skipped"  # the environment needs no approval
    run = f"dags/deploy_service/dagRuns/{outcome.run_id}"
    assert api.get(f"{run}/taskInstances/approve")["try_number"] == 0, "no worker ran the task"

    name = quotes.manifest["serviceName"]
    assert outcome.url == f"{environment['GATEWAY_URL']}/datafactory/e2e/{name}"
    seen = echo(outcome.url)
    assert seen["path"] == "/echo"
    assert seen["prefix"] == f"/datafactory/e2e/{name}"
    assert seen["link"] == f"/datafactory/e2e/{name}/"
    assert seen["environment"] == "Development"
    assert seen["utils"] == "1.4.2"

    tag = registry_digest(environment, f"datafactory/e2e/{name}", "1.0.0")
    assert tag == outcome.digest
    sboms = attached(environment, f"datafactory/e2e/{name}", outcome.digest)
    assert sboms == ["application/vnd.cyclonedx+json"]
    deployment = apps.read_namespaced_deployment(quotes.object_name, environment["NAMESPACE"])
    image = deployment.spec.template.spec.containers[0].image
    assert image == f"{environment['REGISTRY']}/datafactory/e2e/{name}@{outcome.digest}"
    assert deployment.status.available_replicas == 2

    second = quotes.deploy(
        quotes.source("A ship in harbor", "A changed ship in harbor"), version="1.1.0"
    )
    assert second.ok, second.error
    assert second.url == outcome.url
    assert echo(second.url)["quote"].startswith("A changed ship")


@pytest.fixture(scope="module")
def released(
    cluster: client.ApiClient, environment: dict[str, str]
) -> Iterator[tuple[Service, Outcome]]:
    """A live service. No test replaces its release."""
    made = Service("plain-service", f"live-{SESSION}")
    first = made.deploy(to_end=True)
    assert first.ok, first.error
    yield made, first
    remove(cluster, environment["NAMESPACE"], made.object_name)


@pytest.fixture
def live(released: tuple[Service, Outcome]) -> Iterator[Service]:
    """The live service, whose manifest a test may change."""
    made, _ = released
    before = dict(made.manifest)
    yield made
    made.manifest = before


def test_a_rerun_builds_nothing_and_changes_nothing(live, apps, environment, api):
    before = apps.read_namespaced_deployment(live.object_name, environment["NAMESPACE"])
    again = live.deploy(to_end=True)
    assert again.ok, again.error
    after = apps.read_namespaced_deployment(live.object_name, environment["NAMESPACE"])
    assert after.metadata.resource_version == before.metadata.resource_version
    run = f"dags/deploy_service/dagRuns/{again.run_id}"
    assert api.xcom(run, "download_artifact")["reused"]
    assert api.xcom(run, "build_image")["reused"]
    assert not api.xcom(run, "push_image")["pushed"]
    assert api.xcom(run, "describe_image")["found"]


def test_other_content_under_the_same_version_is_refused_before_the_build(live):
    refused = live.deploy(live.source("plain-service", "another"))
    assert (refused.state, refused.failed_step) == ("failed", "build_image")
    assert "1.0.0" in refused.error
    assert "new version" in refused.error
    assert refused.steps["build_image"]["tries"] == 1


def test_a_crash_fails_the_smoke_test_and_the_old_release_keeps_serving(live, released):
    crash = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}
    broken = live.deploy(crash, version="1.1.0")
    assert (broken.state, broken.failed_step) == ("failed", "smoke_test")
    assert "KeyError: 'DATABASE_URL'" in broken.error
    assert requests.get(released[1].url, timeout=10).json() == {
        "service": "plain-service",
        "status": "ok",
    }


def test_the_crashing_sample_never_gets_a_deployment_or_a_route(service, apps, environment):
    crashing = service("crashing-service")
    outcome = crashing.deploy()
    assert (outcome.state, outcome.failed_step) == ("failed", "smoke_test")
    assert "DATABASE_URL" in outcome.error
    names = [
        item.metadata.name
        for item in apps.list_namespaced_deployment(environment["NAMESPACE"]).items
    ]
    assert crashing.object_name not in names
    url = f"{environment['GATEWAY_URL']}/datafactory/e2e/{crashing.manifest['serviceName']}/"
    assert requests.get(url, timeout=10).status_code == 404


def test_a_wrong_answer_fails_the_smoke_test_with_request_and_answer(service):
    plain = service("plain-service")
    outcome = plain.deploy(smokeTest={"path": "/nowhere", "timeoutSeconds": 5})
    assert (outcome.state, outcome.failed_step) == ("failed", "smoke_test")
    assert "/nowhere" in outcome.error
    assert "404" in outcome.error


def test_the_error_for_an_unknown_requirement_names_the_package(service):
    outcome = service("broken-service").deploy()
    assert (outcome.state, outcome.failed_step) == ("failed", "build_image")
    assert "flask-that-nobody-has-published" in outcome.error


def test_a_build_that_prints_nul_fails_once_with_a_printable_error(service):
    plain = service("plain-service")
    printing = b"FROM python:3.11\nRUN printf 'bad \\000 \\033[31m byte\\n'; exit 3\n"
    outcome = plain.deploy({"scripts/Dockerfile": printing})
    assert (outcome.state, outcome.failed_step) == ("failed", "build_image")
    assert "line 2" in outcome.error
    assert "it ended with exit code 3" in outcome.error
    assert "bad \ufffd  byte" in outcome.error
    assert outcome.steps["build_image"]["tries"] == 1


@pytest.mark.parametrize(
    ("change", "step", "said"),
    [
        ({"verison": "1"}, "validate", "did you mean 'version'"),
        ({"serviceName": "quoteService"}, "validate", "did you mean 'quote-service'"),
        ({"artifact": "datafactory/no/such.zip"}, "download_artifact", "datafactory/no/such.zip"),
        ({"artifactSha256": "0" * 64}, "download_artifact", "0" * 64),
    ],
)
def test_bad_input_fails_in_the_first_possible_step(service, api, change, step, said):
    plain = service("plain-service")
    name, version = plain.manifest["serviceName"], plain.manifest["version"]
    upload(plain.zip(), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
    outcome = run_only(api, plain.manifest | change)
    assert (outcome.state, outcome.failed_step) == ("failed", step)
    assert said in outcome.error
    assert outcome.steps[step]["tries"] == 1
    assert outcome.steps["build_image"]["state"] != "success"


def run_only(api, manifest):
    """Trigger without an upload."""
    run_id = f"e2e-{hashlib.sha1(repr(manifest).encode()).hexdigest()[:8]}-{time.time_ns()}"
    api.trigger("deploy_service", manifest, run_id)
    return follow(api, run_id)


def test_a_file_that_is_no_zip_is_refused_by_the_download(service):
    outcome = service("plain-service").deploy(archive=b"this is no archive")
    assert (outcome.state, outcome.failed_step) == ("failed", "download_artifact")
    assert "ZIP" in outcome.error


def test_a_hostile_zip_is_refused_by_the_download(service):
    plain = service("plain-service")
    outcome = plain.deploy({"../../etc/cron.d/evil": b"* * * * * root id"})
    assert (outcome.state, outcome.failed_step) == ("failed", "download_artifact")
    assert "../../etc/cron.d/evil" in outcome.error


def test_an_empty_manifest_is_refused_by_the_api(api):
    with pytest.raises(SandboxError, match="component"):
        api.trigger("deploy_service", {}, f"e2e-empty-{time.time_ns()}")


def test_the_error_for_an_unknown_environment_lists_the_known_ones(api, service):
    manifest = service("plain-service").manifest | {"environment": "moon"}
    with pytest.raises(SandboxError, match=r"moon.*dev"):
        api.trigger("deploy_service", manifest, f"e2e-moon-{time.time_ns()}")


def test_the_same_run_id_twice_is_one_run(api, released):
    made, first = released
    with pytest.raises(SandboxError, match="409"):
        api.trigger("deploy_service", made.manifest, first.run_id)
