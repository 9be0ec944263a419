"""Good and bad releases through the real Airflow, during public requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox.airflow.deploy import follow
from tests.faults.moments import IN_SMOKE_POD, begin, reached, with_code

BAD = {
    "that crashes": ("smoke_test", "import sys\nsys.exit(3)\n", "exit code 3"),
    "that crashes only when deployed": (
        "apply_deployment",
        IN_SMOKE_POD + "import sys\nif not SMOKE:\n    sys.exit(3)\n",
        "exit code 3",
    ),
    "that needs more memory than allowed, only when deployed": (
        "apply_deployment",
        IN_SMOKE_POD + "hoard = [] if SMOKE else [bytearray(8 << 20) for _ in range(100)]\n",
        "memory",
    ),
    "that never gets ready, only when deployed": (
        "apply_deployment",
        IN_SMOKE_POD
        + "@app.before_request\ndef refuse():\n    return None if SMOKE else ('no', 503)\n",
        "503",
    ),
}

SLOW = """import time
@app.get("/slow")
def slow():
    time.sleep(30)
    return "whole"
"""


def test_good_to_good(faults, live, load):
    expected = "the run succeeds, the new release answers, no request fails"
    with faults.case("good → good", expected) as case:
        with load(live) as found:
            outcome = live.deploy(live.source("plain-service", "second"), version="1.1.0")
        case.seen = f"{outcome.state} in {outcome.seconds} s"
        assert outcome.ok, outcome.error
        assert requests.get(outcome.url, timeout=10).json()["service"] == "second"
        case.load(found)


@pytest.mark.parametrize("kind", BAD)
def test_good_to_bad(faults, live, load, left_over, kind):
    step, code, said = BAD[kind]
    expected = f"the run fails at {step} saying {said!r}, the old release serves on"
    with faults.case(f"good → one {kind}", expected) as case:
        version = f"2.{list(BAD).index(kind)}.0"
        before = dict(live.manifest)
        with load(live) as found:
            outcome = live.deploy(with_code(live, code), version=version, startupSeconds=10)
        live.manifest = before
        first = (outcome.error or "no error").splitlines()[0]
        case.seen = f"{outcome.state} at {outcome.failed_step} in {outcome.seconds} s: {first}"
        assert (outcome.state, outcome.failed_step) == ("failed", step)
        assert said in outcome.error
        assert left_over(live) == []
        case.load(found)


def test_bad_to_good(faults, live, load):
    expected = "the run succeeds after the failed ones, no request fails"
    with faults.case("bad → good", expected) as case:
        with load(live) as found:
            outcome = live.deploy(live.source("plain-service", "third"), version="3.0.0")
        case.seen = f"{outcome.state} in {outcome.seconds} s"
        assert outcome.ok, outcome.error
        case.load(found)


def test_requests_of_30_seconds(faults, live, load, api):
    expected = "the run succeeds, and each request of 30 s that was under way has its whole answer"
    with faults.case("requests of 30 s under way in a redeploy", expected) as case:
        slow = with_code(live, SLOW)
        first = live.deploy(slow, version="4.0.0")
        assert first.ok, first.error
        url = f"{first.url}/slow"
        with load(live) as found, ThreadPoolExecutor(10) as pool:
            run_id = begin(api, live, slow, env={"AGAIN": "yes"})
            reached(run_id, "apply_deployment", "running")
            asked = [pool.submit(requests.get, url, timeout=60) for _ in range(10)]
            outcome = follow(api, run_id)
            whole = [answer.result().text for answer in asked].count("whole")
        case.seen = f"{outcome.state} in {outcome.seconds} s, {whole} of {len(asked)} whole"
        assert outcome.ok, outcome.error
        assert whole == len(asked)
        case.load(found)


def test_a_first_release_that_is_bad(faults, service, apps, environment, left_over):
    step, code, said = BAD["that crashes only when deployed"]
    expected = f"the run fails at {step}, what it added is gone, it never had a route"
    with faults.case("nothing → one that crashes only when deployed", expected) as case:
        first = service("plain-service")
        outcome = first.deploy(with_code(first, code))
        url = f"{environment['GATEWAY_URL']}/datafactory/e2e/{first.manifest['serviceName']}/"
        status = requests.get(url, timeout=10).status_code
        case.seen = f"{outcome.state} at {outcome.failed_step}; its URL answers {status}"
        assert (outcome.failed_step, status) == (step, 404)
        assert said in outcome.error
        names = [
            item.metadata.name
            for item in apps.list_namespaced_deployment(environment["NAMESPACE"]).items
        ]
        assert first.object_name not in names
        assert left_over(first) == []
