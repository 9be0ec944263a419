"""A service is removed while an older deployment of it is under way."""

from __future__ import annotations

import time

import pytest
import requests

from sandbox.airflow.deploy import follow
from tests.e2e.release.test_remove_service import ours
from tests.faults.moments import IN_SMOKE_POD, begin, reached, with_code

SLOW_SMOKE_TEST = IN_SMOKE_POD + "import time\nif SMOKE:\n    time.sleep(8)\n"
SLOW_ROLLOUT = IN_SMOKE_POD + "import time\nif not SMOKE:\n    time.sleep(8)\n"


@pytest.mark.parametrize(
    ("step", "code", "result"),
    [
        ("smoke_test", SLOW_SMOKE_TEST, "the deployment is refused as superseded by the removal"),
        ("apply_deployment", SLOW_ROLLOUT, "the removal waits until the deployment has ended"),
    ],
    ids=["smoke test", "rollout"],
)
def test_removed_while_an_older_deployment_is_under_way(
    *, faults, service, left_over, api, cluster, environment, step, code, result
):
    expected = f"{result}; the removal succeeds, no object of the service is left, its URL is 404"
    with faults.case(f"a service removed during {step} of an older deployment", expected) as case:
        target = service("plain-service")
        first = target.deploy()
        assert first.ok, first.error
        run_id = begin(api, target, with_code(target, code), version="1.0.1")
        reached(run_id, step, "running")
        time.sleep(2)  # now the pod of the step starts
        removal = f"faults-remove-{time.time_ns()}"
        keys = ("component", "serviceName", "environment")
        asked = {key: target.manifest[key] for key in keys} | {"confirm": target.object_name}
        api.trigger("remove_service", asked, removal)
        removed = follow(api, removal, dag_id="remove_service")
        outcome = follow(api, run_id)
        status = requests.get(first.url, timeout=10).status_code
        case.seen = (
            f"removal: {removed.state}; deployment: {outcome.state}, "
            f"{outcome.error or 'without an error'}; {status}"
        )
        assert removed.ok, removed.error
        if step == "smoke_test":
            assert outcome.failed_step == "apply_deployment"
            assert "superseded" in outcome.error
            assert removal in outcome.error
        else:
            assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert ours(cluster, environment["NAMESPACE"], target.object_name) == []
        assert status == 404
        assert left_over(target) == []
