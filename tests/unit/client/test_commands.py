"""``deploy``, ``status`` and ``follow``: what they print and their exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from manifest_engine import __main__

from tests.unit.client import api_server

URL = "https://apps.example.com/datafactory/a/b"


def test_a_deployment_is_followed_to_its_url(api, run, manifest):
    done = run("deploy", manifest)
    assert (done.status, done.out) == (0, f"{URL}\n")
    (key,) = api.keys
    assert done.err.splitlines() == [
        f"deployment api__{key}",
        "validate           running",
        "validate           succeeded in 1.5 s",
        "build_image        running",
        "build_image        succeeded in 1.5 s",
        "publish_route      succeeded in 1.5 s",
        "live, image sha256:abc",
    ]


def test_json_output_has_every_event_and_one_result(api, run, manifest):
    done = run("deploy", "--json", manifest)
    assert done.status == 0
    *events, result = done.objects
    assert {event["event"] for event in events} == {"step", "deployment"}
    assert events[-1]["state"] == "live"
    assert (result["event"], result["exitStatus"], result["url"]) == ("result", 0, URL)
    assert [step["name"] for step in result["steps"]] == [
        "validate",
        "build_image",
        "publish_route",
    ]


def test_a_failure_is_printed_with_its_step_and_its_error(api, run, manifest):
    api.moments = api_server.failing
    done = run("deploy", manifest)
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[-1] == "failed at build_image: pip found no version of flask."
    done = run("deploy", "--json", manifest)
    assert (done.status, done.objects[-1]["failedStep"]) == (1, "build_image")


def test_each_problem_of_a_manifest_is_shown_with_its_pointer(api, run, manifest):
    manifest.write_text(json.dumps({"component": "a", "serviceName": "quoteService", "prot": 1}))
    done = run("deploy", manifest)
    assert (done.status, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == f"The manifest has {len(lines) - 1} problems."
    assert any(line.startswith("  /prot ") and "did you mean 'port'?" in line for line in lines)
    done = run("deploy", "--json", manifest)
    (result,) = done.objects
    assert (result["exitStatus"], result["event"]) == (2, "result")
    assert "/prot" in {item["pointer"] for item in result["errors"]}


def test_keys_of_the_manifest_can_be_set(api, run, manifest):
    assert run("deploy", manifest, "--set", "version=2.0.0", "--set", "notes=a=b").status == 0
    (conf,) = api.started.values()
    assert (conf["version"], conf["notes"], conf["component"]) == ("2.0.0", "a=b", "a")


def test_two_calls_start_one_deployment_with_a_key_and_two_without(api, run, manifest):
    for _ in range(2):
        assert run("deploy", manifest, "--idempotency-key", "run-7").status == 0
    assert list(api.started) == ["api__run-7"]
    other = run("deploy", manifest, "--idempotency-key", "run-7", "--set", "version=2")
    assert (other.status, other.err) == (2, "The Idempotency-Key was used before.\n")
    for _ in range(2):
        assert run("deploy", manifest).status == 0
    assert len(api.started) == 3


def test_an_id_can_be_followed_later(api, run, manifest):
    begun = run("deploy", "--no-wait", manifest)
    deployment = begun.out.strip()
    assert (begun.status, begun.err) == (0, "")
    assert run("follow", deployment).out == f"{URL}\n"
    shown = run("status", deployment)
    assert (shown.status, shown.out) == (0, f"{URL}\n")
    assert "build_image        succeeded in 1.5 s" in shown.err
    missing = run("status", "api__none")
    assert (missing.status, missing.err) == (2, "There is no deployment with this id.\n")


def test_a_run_without_a_new_image_prints_no_image(api, run, manifest):
    found = {place: item for place, item in api_server.LIVE_XCOMS.items() if "url" in item}
    ended = {"validate": "success", "publish_route": "success"}
    api.moments = lambda conf: [api_server.facts("success", conf, found, **ended)]
    assert run("restart", manifest).err.splitlines()[-1] == "live"


def test_a_dry_run_shows_each_change(api, run, manifest):
    api.moments = api_server.planning
    done = run("deploy", manifest)
    assert (done.status, done.out) == (0, "Deployment a-b: change\n    spec.replicas: 2 → 3\n")


def test_a_manifest_stands_for_the_newest_deployment_of_its_service(api, run, manifest):
    run("deploy", manifest)
    assert run("follow", manifest).out == f"{URL}\n"
    assert run("status", manifest).out == f"{URL}\n"
    path = "/manifest-engine/api/v1/services/a/b/deployments?environment=dev&limit=1"
    assert api.seen.count(("GET", path)) == 2
    api.started.clear()
    done = run("status", manifest)
    assert (done.status, done.err) == (2, "The service was never deployed to dev.\n")


@pytest.mark.parametrize(
    ("words", "method", "path", "body"),
    [
        (("rollback",), "POST", "/rollback", {"version": None, "dryRun": False}),
        (
            ("rollback", "--to", "1.0.0", "--dry-run"),
            *("POST", "/rollback", {"version": "1.0.0", "dryRun": True}),
        ),
        (("restart",), "POST", "/restart", {}),
        (("remove", "--confirm", "a-b"), "DELETE", "?environment=dev", None),
    ],
)
def test_a_service_is_rolled_back_restarted_and_removed(
    *, api, run, manifest, words, method, path, body
):
    done = run(*words, manifest)
    assert (done.status, done.out) == (0, f"{URL}\n")
    assert (method, f"/manifest-engine/api/v1/services/a/b{path}") in api.seen
    (sent,) = api.started.values()
    assert sent == ({} if body is None else {"environment": "dev", **body})


def test_a_removal_needs_the_name_of_the_service(api, run, manifest):
    done = run("remove", manifest, "--confirm", "a-c")
    assert (done.status, done.err) == (2, "--confirm must be a-b, the service that is removed.\n")
    assert not api.seen
    assert "the following arguments are required: --confirm" in run("remove", manifest).err


def test_a_manifest_needs_component_service_name_and_environment(api, run, manifest):
    manifest.write_text('{"component": "a", "serviceName": "b"}')
    done = run("restart", manifest)
    assert (done.status, len(api.seen)) == (2, 0)
    assert done.err == "The manifest must have component, serviceName and environment.\n"


def test_a_timeout_stops_only_the_client(api, run, manifest, clock):
    api.moments = lambda conf: [api_server.facts("running", conf, validate="running")]
    done = run("deploy", manifest, "--timeout", "1.5")
    assert done.status == 5
    assert done.err.endswith("The time of --timeout is over; the deployment continues.\n")
    assert clock.pauses == [1, 1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "is not valid JSON"), ("[]", "must be one JSON object"), (None, "cannot be read")],
)
def test_a_file_that_is_not_a_manifest_is_refused_before_any_request(
    api, run, manifest, text, sentence
):
    manifest.unlink() if text is None else manifest.write_text(text)
    done = run("deploy", manifest)
    assert done.status == 2
    assert sentence in done.err
    assert not api.seen


def test_on_a_terminal_the_line_of_a_running_step_is_replaced(api, run, manifest, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = run("deploy", manifest).err
    assert "\rvalidate" not in err
    assert "validate           running\r\x1b[Kvalidate           succeeded in 1.5 s\n" in err


def test_the_client_needs_no_airflow_and_starts_fast(api, manifest):
    blocked = ("airflow", "pydantic", "fastapi", "kubernetes", "azure", "docker", "re2", "yaml")
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "runpy.run_module('manifest_engine', run_name='__main__')"
    )
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, "deploy", manifest],
        env={**os.environ, "PYTHONPATH": str(api_server.PLUGINS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{URL}\n"), done.stderr
    assert time.monotonic() - begin < 10


def test_the_help_documents_the_exit_status(run):
    done = run("deploy", "--help")
    assert "AIRFLOW_TOKEN" in done.out
    assert "5 --timeout reached" in " ".join(done.out.split())
    assert __main__.__doc__ is not None
