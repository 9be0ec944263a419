"""The smoke test in the real cluster: what the image answers is the verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import SmokeTestFailed

from sandbox.core.settings import SETTINGS


@pytest.fixture
def smoke(digest: str, context: Callable[..., Any]) -> Callable[..., Any]:
    from manifest_engine.operators.smoke.smoke_test import SmokeTest

    def run(release: Any, **settings: Any) -> dict[str, Any]:
        task = SmokeTest(
            task_id="smoke_test",
            release=release.dump(),
            push={"digest": settings.pop("digest", digest)},
        )
        return task.execute(context(release.run_id, task_id="smoke_test", **settings))

    return run


def smoke_pods(kube: Any, namespace: str) -> str:
    words = ("-l", "manifest-engine.io/smoke-test-of", "-o", "name", "--field-selector")
    return kube("get", "pods", "-n", namespace, *words, "status.phase!=Failed").strip()


def test_a_good_image_gets_a_verdict_bound_to_digest_and_run(smoke, make_release, digest):
    release = make_release()
    begin = time.monotonic()

    found = smoke(release)

    print(f"smoke test took {time.monotonic() - begin:.2f} s")
    assert found["ok"] is True
    assert (found["digest"], found["runId"]) == (digest, release.run_id)
    assert (found["asked"], found["status"]) == ("/health", 200)


def test_no_pod_is_left_behind(smoke, make_release, kube, namespace):
    smoke(make_release())

    deadline = time.monotonic() + 10
    while smoke_pods(kube, namespace) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert smoke_pods(kube, namespace) == ""


def test_a_crash_is_told_with_exit_code_and_last_log_lines_well_before_the_timeout(
    smoke, make_release
):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "crash"}))

    assert "exit code 3" in str(raised.value)
    assert "cannot open the price list" in str(raised.value)
    assert raised.value.retryable is False
    assert time.monotonic() - begin < 10


def test_a_service_that_ends_by_itself_is_no_service(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match="exit code 0"):
        smoke(make_release(env={"MODE": "leave"}))


def test_a_wrong_status_is_told_with_what_was_asked_and_answered(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "unhealthy"}))

    assert "GET /health answered 418 instead of 200" in str(raised.value)
    assert "hello from /health" in str(raised.value)
    assert str(raised.value).endswith('"GET /health HTTP/1.1" 418 -')
    assert time.monotonic() - begin < 15


def test_what_a_crashing_service_printed_is_clean_in_the_sentence(smoke, make_release):
    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "crash-noisily"}))

    said = str(raised.value)
    assert "exit code 3" in said
    assert "cannot open the price list" in said
    assert printable.unprintable(said) is None
    assert len(said) < 4000


def test_a_health_page_with_nul_and_escapes_is_clean_in_verdict_and_sentence(smoke, make_release):
    good = smoke(make_release(env={"TEXT": "UNPRINTABLE"}))
    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"TEXT": "UNPRINTABLE", "MODE": "unhealthy"}))

    assert good["ok"] is True
    for said in (good["body"], str(raised.value)):
        assert "\ufffd" in said
        assert "from /health" in said
        assert printable.unprintable(said) is None


def test_a_body_without_the_expected_text_fails(smoke, make_release):
    asked = {"path": "/", "expectBody": "goodbye", "timeoutSeconds": 20}

    with pytest.raises(SmokeTestFailed, match="without 'goodbye' in the body"):
        smoke(make_release(smokeTest=asked))


def test_not_yet_is_waited_for_until_the_timeout(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed, match="503 instead of 200"):
        smoke(make_release(env={"MODE": "starting"}, smokeTest={"timeoutSeconds": 8}))

    assert time.monotonic() - begin >= 8


def test_a_pull_without_its_secret_is_told_as_such_and_worth_a_retry(smoke, make_release):
    # The kubelet pulls like this, too, when the API server takes a second to give it the Secret.
    release = make_release(cluster={"imagePullSecrets": ["absent"]})

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(release, digest=f"sha256:{'0' * 64}")

    assert "401 Unauthorized. The node had no pull secret to show" in str(raised.value)
    assert "(absent)" in str(raised.value)
    assert raised.value.retryable is True


def test_a_service_on_another_port_is_told_as_no_answer(smoke, make_release):
    asked = {"timeoutSeconds": 3}

    with pytest.raises(SmokeTestFailed, match="no answer on port 9000"):
        smoke(make_release(port=9000, smokeTest=asked))


def test_too_little_memory_is_told_as_such(smoke, make_release):
    small = {"cpu": "500m", "memory": "64Mi"}
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": small}

    with pytest.raises(SmokeTestFailed, match="more memory than its limit"):
        smoke(make_release(env={"MODE": "greedy"}, resources=resources))


def registry(monkeypatch, sandbox, **changes):
    """The Airflow Connection by which the registry itself is asked."""
    login = {"login": sandbox["REGISTRY_USER"], "password": sandbox["REGISTRY_PASSWORD"]}
    given = {"conn_type": "acr", "host": sandbox["REGISTRY"]} | login | changes
    monkeypatch.setenv("AIRFLOW_CONN_ACR_DEFAULT", json.dumps(given))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(SETTINGS.ca_bundle))


def test_an_image_that_the_registry_has_lost_is_not_tried_again(
    smoke, make_release, monkeypatch, sandbox
):
    registry(monkeypatch, sandbox)
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed, match="cannot be pulled") as raised:
        smoke(make_release(), digest="sha256:" + "0" * 64)

    assert "The registry no longer has the image" in str(raised.value)
    assert not raised.value.retryable
    assert time.monotonic() - begin < 40


def test_an_image_that_the_node_alone_does_not_find_is_tried_again(
    smoke, make_release, monkeypatch, sandbox
):
    registry(monkeypatch, sandbox, password="wrong")  # so nobody can say whether it is gone

    with pytest.raises(SmokeTestFailed, match="cannot be pulled") as raised:
        smoke(make_release(), digest="sha256:" + "0" * 64)

    assert raised.value.retryable  # a replica of the registry may lag behind the push


def test_a_secret_that_is_missing_is_named(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match='secret "quote-db" not found'):
        smoke(make_release(secretEnv={"DB_PASSWORD": "quote-db/password"}))


def test_the_pod_gets_no_traffic_of_the_service(make_release, digest):
    from manifest_engine.domain.smoke import pod as smoke_pod
    from manifest_engine.domain.workload import resources

    release = make_release()
    selector = resources.workload(release, digest, {})[1]["spec"]["selector"]

    assert not selector.items() <= smoke_pod.labels(release).items()


def test_a_pod_of_an_earlier_try_is_swept(smoke, make_release, kube, namespace):
    release = make_release()
    labels = {
        "manifest-engine.io/smoke-test-of": release.name,
        "dag_id": "deploy_service",
        "task_id": "smoke_test",
        "run_id": release.run_id,
    }
    words = [f"--labels={','.join(f'{key}={value}' for key, value in labels.items())}"]
    image = f"--image={release.image}"
    kube("run", "orphan", "-n", namespace, image, *words)

    smoke(release, try_number=2)

    assert "orphan" not in smoke_pods(kube, namespace)
