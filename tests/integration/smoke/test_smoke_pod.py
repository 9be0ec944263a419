"""The smoke test in the real cluster: the image's answer becomes the verdict."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
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


_SERVER = """
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  char request[4096];
  const char answer[] = "HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nstatic";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8002)};
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 16)) return 1;
  for (;;) {
    int client = accept(server, 0, 0);
    read(client, request, sizeof request);
    write(client, answer, sizeof answer - 1);
    close(client);
  }
}
"""


@pytest.fixture
def static_digest(push_image: Callable[..., str], tmp_path: Path) -> str:
    """An image with one static binary."""
    (tmp_path / "server.c").write_text(_SERVER)
    subprocess.run(
        ["cc", "-static", "-O1", "-w", "-o", "server", "server.c"], cwd=tmp_path, check=True
    )
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY server /\nENTRYPOINT ["/server"]\n')
    return push_image(tmp_path, "static")


@pytest.fixture
def crlf_digest(push_image: Callable[..., str], tmp_path: Path) -> str:
    """An image whose entry point is a script that was saved on Windows."""
    (tmp_path / "start.sh").write_bytes(b"#!/bin/sh\r\nexec sleep 60\r\n")
    text = 'FROM python:3.11\nCOPY --chmod=755 start.sh /\nENTRYPOINT ["/start.sh"]\n'
    (tmp_path / "Dockerfile").write_text(text)
    return push_image(tmp_path, "crlf")


def smoke_pods(kube: Any, namespace: str) -> str:
    words = ("-l", "manifest-engine.io/smoke-test-of", "-o", "name", "--field-selector")
    return kube("get", "pods", "-n", namespace, *words, "status.phase!=Failed").strip()


def test_the_verdict_of_a_good_image_names_digest_and_run(smoke, make_release, digest):
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


def test_a_crash_is_reported_early_with_exit_code_and_last_log_lines(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "crash"}))

    assert "exit code 3" in str(raised.value)
    assert "cannot open the price list" in str(raised.value)
    assert raised.value.retryable is False
    assert time.monotonic() - begin < 10


def test_a_service_that_exits_with_0_fails(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match="exit code 0"):
        smoke(make_release(env={"MODE": "leave"}))


def test_a_wrong_status_is_reported_with_request_and_answer(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "unhealthy"}))

    assert "GET /health answers 418 instead of 200" in str(raised.value)
    assert "hello from /health" in str(raised.value)
    assert str(raised.value).endswith("serving on 0.0.0.0:8002")  # not the access log
    assert time.monotonic() - begin < 15


def test_the_output_of_a_crashing_service_is_printable_in_the_error(smoke, make_release):
    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "crash-noisily"}))

    said = str(raised.value)
    assert "exit code 3" in said
    assert "cannot open the price list" in said
    assert printable.unprintable(said) is None
    assert len(said) < 4000


def test_a_health_page_with_nul_and_escapes_is_printable_in_verdict_and_error(smoke, make_release):
    good = smoke(make_release(env={"TEXT": "UNPRINTABLE"}))
    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"TEXT": "UNPRINTABLE", "MODE": "unhealthy"}))

    assert good["ok"] is True
    for said in (good["body"], str(raised.value)):
        assert "\ufffd" in said
        assert "from /health" in said
        assert printable.unprintable(said) is None


def test_a_wrong_answer_fails_only_after_the_startup_time(smoke, make_release):
    found = smoke(make_release(env={"MODE": "loading", "AFTER": "7"}, startupSeconds=15))

    assert found["ok"]
    assert found["seconds"] > 5

    with pytest.raises(SmokeTestFailed, match=r"503 instead of 200.*startupSeconds 4\b"):
        smoke(make_release(env={"MODE": "starting"}, startupSeconds=4))


def test_the_error_for_a_service_on_loopback_says_to_bind_every_address(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"HOST": "127.0.0.1"}, startupSeconds=60))

    assert "it listens on 127.0.0.1 (localhost) alone" in str(raised.value)
    assert "bind 0.0.0.0" in str(raised.value)
    assert time.monotonic() - begin < 20


def test_the_error_for_a_slow_health_path_names_the_measured_time(smoke, make_release):
    with pytest.raises(SmokeTestFailed) as raised:
        smoke(
            make_release(
                env={"MODE": "slow-health", "AFTER": "1.5"}, readiness={"timeoutSeconds": 1}
            )
        )

    assert re.search(
        r"answers only after 1\.[5-9] s, and the probes wait for 1 s", str(raised.value)
    )
    assert "readiness.timeoutSeconds" in str(raised.value)


def test_a_slow_health_path_within_the_timeout_of_the_probe_passes(smoke, make_release):
    assert smoke(make_release(env={"MODE": "slow-health", "AFTER": "1.2"}))["ok"]


def test_a_redirect_is_reported_with_its_target_and_not_followed(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(make_release(env={"MODE": "redirect"}))

    said = str(raised.value)
    assert "GET /health answers 301 instead of 200" in said
    assert re.search(r"it redirects to https://10\.[0-9.]+:8002/health;", said)
    assert time.monotonic() - begin < 12


def test_a_port_that_speaks_tls_fails_at_once(smoke, make_release):
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed, match=r"the port speaks TLS \(HTTPS\)"):
        smoke(make_release(env={"MODE": "tls"}))

    assert time.monotonic() - begin < 10


def test_the_error_for_a_port_below_1024_names_the_remedy(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match="a port above 1023"):
        smoke(make_release(env={"PORT": "80"}, port=80))


@pytest.mark.parametrize("kind", ["tcp", "exec"])
def test_the_kubelets_probe_judges_a_health_port_without_http(smoke, make_release, kind):
    command = {"command": ["python3", "-c", "pass"]} if kind == "exec" else {}

    found = smoke(make_release(readiness={"kind": kind, **command}))

    assert (found["ok"], found["asked"], found["status"]) == (True, f"{kind} check", None)


def test_a_failed_probe_of_the_kubelet_is_reported_with_its_message(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match="9000: connect: connection refused") as raised:
        smoke(make_release(readiness={"kind": "tcp", "port": 9000}, startupSeconds=3))

    assert "serving on 0.0.0.0:8002" in str(raised.value)


def test_an_image_without_python_or_a_shell_passes(smoke, make_release, static_digest):
    assert smoke(make_release(), digest=static_digest)["body"] == "static"


def test_windows_line_ends_of_the_entry_point_are_named(smoke, make_release, crlf_digest):
    with pytest.raises(SmokeTestFailed, match="end in CRLF"):
        smoke(make_release(), digest=crlf_digest)


def test_a_pull_without_its_secret_is_named_and_retryable(smoke, make_release):
    # The kubelet also pulls without a login while the API server is slow to return the Secret.
    release = make_release(cluster={"imagePullSecrets": ["absent"]})

    with pytest.raises(SmokeTestFailed) as raised:
        smoke(release, digest=f"sha256:{'0' * 64}")

    assert "401 Unauthorized. The node had no pull secret to show" in str(raised.value)
    assert "(absent)" in str(raised.value)
    assert raised.value.retryable is True


def test_a_service_on_another_port_gives_no_answer(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match="no answer on port 9000") as raised:
        smoke(make_release(port=9000, startupSeconds=8))

    assert "its log names port 8002" in str(raised.value)


def test_too_little_memory_is_named(smoke, make_release):
    small = {"cpu": "500m", "memory": "64Mi"}
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": small}

    with pytest.raises(SmokeTestFailed, match="more memory than its limit"):
        smoke(make_release(env={"MODE": "greedy"}, resources=resources))


def registry(monkeypatch, sandbox, **changes):
    """Sets the Airflow Connection by which the step asks the registry."""
    login = {"login": sandbox["REGISTRY_USER"], "password": sandbox["REGISTRY_PASSWORD"]}
    given = {"conn_type": "acr", "host": sandbox["REGISTRY"]} | login | changes
    monkeypatch.setenv("AIRFLOW_CONN_ACR_DEFAULT", json.dumps(given))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(SETTINGS.ca_bundle))


def test_an_image_deleted_from_the_registry_is_not_retryable(
    smoke, make_release, monkeypatch, sandbox
):
    registry(monkeypatch, sandbox)
    begin = time.monotonic()

    with pytest.raises(SmokeTestFailed, match="cannot be pulled") as raised:
        smoke(make_release(), digest="sha256:" + "0" * 64)

    assert "The registry no longer has the image" in str(raised.value)
    assert not raised.value.retryable
    assert time.monotonic() - begin < 40


def test_an_image_that_only_the_node_does_not_find_is_retryable(
    smoke, make_release, monkeypatch, sandbox
):
    registry(monkeypatch, sandbox, password="wrong")  # so it is unknown whether the image exists

    with pytest.raises(SmokeTestFailed, match="cannot be pulled") as raised:
        smoke(make_release(), digest="sha256:" + "0" * 64)

    assert raised.value.retryable  # a replica of the registry may not have the push yet


def test_a_missing_secret_is_named(smoke, make_release):
    with pytest.raises(SmokeTestFailed, match='secret "quote-db" not found'):
        smoke(make_release(secretEnv={"DB_PASSWORD": "quote-db/password"}))


def test_the_smoke_pod_gets_no_traffic_of_the_service(make_release, digest):
    from manifest_engine.domain.smoke import pod as smoke_pod
    from manifest_engine.domain.workload import resources

    release = make_release()
    selector = resources.workload(release, digest, {})[1]["spec"]["selector"]

    assert not selector.items() <= smoke_pod.labels(release).items()


def test_the_pod_of_an_earlier_try_is_deleted(smoke, make_release, kube, namespace):
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
