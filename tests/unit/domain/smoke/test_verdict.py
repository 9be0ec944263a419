"""A verdict counts for one image and one run, and only a good verdict is accepted."""

import pytest
from manifest_engine.domain.core.errors import SmokeTestFailed, StateError
from manifest_engine.domain.smoke import verdict

GOOD = {
    "digest": "sha256:d",
    "runId": "run-1",
    "asked": "/health",
    "status": 200,
    "ok": True,
    "seconds": 1,
}


def check(data):
    return verdict.check(data, digest="sha256:d", run_id="run-1")


def test_a_good_verdict_on_this_image_by_this_run_is_accepted():
    assert check(GOOD).status == 200


@pytest.mark.parametrize("missing", [None, {}, ""])
def test_a_successful_task_without_a_verdict_is_no_proof(missing):
    with pytest.raises(StateError, match="handed over no verdict"):
        check(missing)


@pytest.mark.parametrize("change", [{"digest": "sha256:e"}, {"runId": "run-2"}])
def test_a_verdict_on_another_image_or_of_another_run_is_refused(change):
    with pytest.raises(StateError, match="clear smoke_test"):
        check(GOOD | change)


def test_a_bad_verdict_is_refused_with_its_problem():
    with pytest.raises(SmokeTestFailed, match="answered 500"):
        check(GOOD | {"ok": False, "problem": "answered 500 instead of 200"})
