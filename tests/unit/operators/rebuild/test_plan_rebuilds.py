"""The nightly plan: what is wrong with one environment leaves the others' rebuilds alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ClusterError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.access import Access
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, Row
from manifest_engine.operators.rebuild import plan_rebuilds
from manifest_engine.operators.rebuild.plan_rebuilds import ROWS, PlanRebuilds

from tests.unit.domain.release.releases import make_release


@pytest.fixture
def plan(monkeypatch):
    """Rows of a night in which the environment ``bad`` is odd and ``good`` has one service."""
    real = plan_rebuilds._deployed

    def rows(odd=None, connection="aks", tries=4, by=None, **conf):
        def deployed(name, configured, wanted):
            if name == "good":
                return [Row("pricing-quotes", "good", SKIPPED, "It is new.")]
            if odd:
                raise odd
            return real(name, configured, wanted)

        good, bad = make_release(), make_release(cluster={"connection": connection})
        strict = bad.environment.model_copy(update={"access": Access(deploy=("grace",))})
        configured = {"bad": strict, "good": good.environment}
        monkeypatch.setattr(environments, "load", lambda: configured)
        monkeypatch.setattr(plan_rebuilds, "_deployed", deployed)
        pushed = {}
        ti = SimpleNamespace(
            xcom_push=lambda key, value: pushed.update({key: value}), try_number=tries, max_tries=3
        )
        run = SimpleNamespace(
            conf=conf, run_type="manual" if by else "scheduled", triggering_user_name=by
        )
        context = {"ti": ti, "dag_run": run}
        assert PlanRebuilds(task_id="plan").execute(context) == []
        return {row["environment"]: row for row in pushed[ROWS]}

    return rows


@pytest.mark.parametrize("odd", [KeyError("spec"), OSError("no more processes"), TimeoutError()])
def test_an_odd_error_is_the_row_of_its_environment(plan, odd):
    found = plan(odd)
    assert found["good"]["outcome"] == SKIPPED
    assert (found["bad"]["service"], found["bad"]["outcome"]) == ("(all)", FAILED)
    assert type(odd).__name__ in found["bad"]["sentence"]


def test_a_connection_that_is_missing_is_the_row_of_its_environment(plan):
    found = plan(connection="not_there")
    assert found["good"]["outcome"] == SKIPPED
    assert "'not_there', which does not exist; add it" in found["bad"]["sentence"]


def test_what_a_retry_can_mend_costs_its_environment_the_night_on_the_last_try_alone(plan):
    away = ClusterError("The API server does not answer.", retryable=True)
    for tries in (1, 3):
        with pytest.raises(ClusterError, match="does not answer"):
            plan(away, tries=tries)
    assert plan(away, tries=4)["bad"]["outcome"] == FAILED


def test_what_no_retry_mends_is_a_row_at_once(plan):
    assert plan(ClusterError("It refuses."), tries=1)["bad"]["sentence"] == "It refuses."


def test_who_may_not_deploy_to_an_environment_does_not_rebuild_it(plan):
    found = plan(KeyError("asked"), by="ada")
    assert found["good"]["outcome"] == SKIPPED
    assert (found["bad"]["service"], found["bad"]["outcome"]) == ("(all)", SKIPPED)
    assert found["bad"]["sentence"].startswith("ada may not deploy here: access.deploy of 'bad'")


def test_who_may_deploy_to_an_environment_rebuilds_it(plan):
    assert "KeyError" in plan(KeyError("asked"), by="grace")["bad"]["sentence"]


def test_a_rebuild_of_the_environment_that_one_may_not_deploy_to_fails(plan):
    with pytest.raises(NotAllowed, match="ada may not deploy here"):
        plan(by="ada", environment="bad")
