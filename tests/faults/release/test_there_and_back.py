"""Rollback, removal, and deployment after a removal."""

from __future__ import annotations

import time

import requests

from sandbox.airflow.deploy import follow


def asked(live, **more):
    return {key: live.manifest[key] for key in ("component", "serviceName", "environment")} | more


def test_a_rollback(faults, live, load, left_over, api):
    expected = "the run succeeds, the release before answers, no request fails"
    with faults.case("rollback_service", expected) as case:
        second = live.deploy(live.source("plain-service", "second"), version="1.1.0")
        assert second.ok, second.error
        run_id = f"faults-back-{time.time_ns()}"
        with load(live) as found:
            api.trigger("rollback_service", asked(live), run_id)
            outcome = follow(api, run_id, dag_id="rollback_service")
        case.seen = f"{outcome.state} in {outcome.seconds} s"
        assert outcome.ok, outcome.error
        assert requests.get(outcome.url, timeout=10).json()["service"] == "plain-service"
        assert left_over(live) == []
        case.load(found)


def test_a_wrong_answer(faults, live, load, left_over):
    expected = "the run fails at smoke_test saying what was answered, the old release serves on"
    with faults.case("good → one that answers something else", expected) as case:
        before = dict(live.manifest)
        with load(live) as found:
            outcome = live.deploy(
                live.source("plain-service", "third"),
                version="1.2.0",
                smokeTest={"expectBody": "fourth", "timeoutSeconds": 5},
            )
        live.manifest = before
        first = (outcome.error or "no error").splitlines()[0]
        case.seen = f"{outcome.state} at {outcome.failed_step} in {outcome.seconds} s: {first}"
        assert (outcome.state, outcome.failed_step) == ("failed", "smoke_test")
        assert "fourth" in outcome.error
        assert left_over(live) == []
        case.load(found)


def test_removed_and_deployed_again(faults, live, left_over, api, environment):
    expected = "after the removal the gateway answers 404; deployed again, the service answers"
    with faults.case("remove_service, then the same release again", expected) as case:
        url = f"{environment['GATEWAY_URL']}/datafactory/e2e/{live.manifest['serviceName']}/health"
        run_id = f"faults-remove-{time.time_ns()}"
        api.trigger("remove_service", asked(live, confirm=live.object_name), run_id)
        removed = follow(api, run_id, dag_id="remove_service")
        gone = requests.get(url, timeout=10).status_code
        again = live.deploy(version="1.0.0")
        back = requests.get(url, timeout=10).status_code
        case.seen = f"{removed.state}, {gone}; {again.state} in {again.seconds} s, {back}"
        assert removed.ok, removed.error
        assert again.ok, again.error
        assert (gone, back) == (404, 200)
        assert left_over(live) == []
