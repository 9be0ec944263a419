"""The nightly plan: an error in one environment does not stop the rebuilds of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ClusterError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.access import Access
from manifest_engine.domain.environment.environment import NightlyRebuilds
from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, Row
from manifest_engine.operators.rebuild import plan_rebuilds
from manifest_engine.operators.rebuild.plan_rebuilds import ROWS, PlanRebuilds

from tests.unit.domain.rebuild import test_rebuild_plan as order
from tests.unit.domain.release.releases import make_release


@pytest.fixture
def plan(monkeypatch):
    """Rows of a night in which the environment ``bad`` is odd and ``good`` has one service."""
    real = plan_rebuilds._deployed

    def rows(odd=None, connection="aks", tries=4, by=None, **conf):
        def deployed(name, configured, selection):
            if name == "good":
                return [Row("pricing-quotes", "good", SKIPPED, "It is new.")]
            if odd:
                raise odd
            return real(name, configured, selection)

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
def test_an_unexpected_error_becomes_a_row_of_its_environment(plan, odd):
    found = plan(odd)
    assert found["good"]["outcome"] == SKIPPED
    assert (found["bad"]["service"], found["bad"]["outcome"]) == ("(all)", FAILED)
    assert type(odd).__name__ in found["bad"]["sentence"]


def test_a_missing_connection_becomes_a_row_of_its_environment(plan):
    found = plan(connection="not_there")
    assert found["good"]["outcome"] == SKIPPED
    assert "'not_there', which does not exist; add it" in found["bad"]["sentence"]


def test_a_retryable_error_becomes_a_row_on_the_last_try_only(plan):
    away = ClusterError("The API server does not answer.", retryable=True)
    for tries in (1, 3):
        with pytest.raises(ClusterError, match="does not answer"):
            plan(away, tries=tries)
    assert plan(away, tries=4)["bad"]["outcome"] == FAILED


def test_a_final_error_becomes_a_row_at_once(plan):
    assert plan(ClusterError("It refuses."), tries=1)["bad"]["sentence"] == "It refuses."


def test_a_user_who_may_not_deploy_rebuilds_nothing(plan):
    found = plan(KeyError("asked"), by="ada")
    assert found["good"]["outcome"] == SKIPPED
    assert (found["bad"]["service"], found["bad"]["outcome"]) == ("(all)", SKIPPED)
    assert found["bad"]["sentence"].startswith("ada may not deploy here: access.deploy of 'bad'")


def test_a_user_who_may_deploy_rebuilds(plan):
    assert "KeyError" in plan(KeyError("asked"), by="grace")["bad"]["sentence"]


def test_a_rebuild_of_a_selected_environment_without_permission_fails(plan):
    with pytest.raises(NotAllowed, match="ada may not deploy here"):
        plan(by="ada", environment="bad")


NOW = datetime.now(UTC)


def in_cluster(hours: float) -> dict[str, list[dict[str, Any]]]:
    """A Deployment and its pod, on the base image ``NEW`` for some hours."""
    since = (NOW - timedelta(hours=hours)).isoformat()
    standard = plan_rebuilds.STANDARD_DOCKERFILE.read_bytes()
    live = order.deployment(order.record(dockerfile=standard, bases={order.BASE: order.NEW}))
    live["status"]["conditions"][0]["lastUpdateTime"] = since
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
    pod = {
        "metadata": {"name": "a-1", "labels": {"app.kubernetes.io/instance": "pricing-quotes"}},
        "status": {"conditions": [ready], "containerStatuses": [], "startTime": since},
    }
    return {"Deployment": [live], "Pod": [pod]}


@pytest.mark.parametrize(("hours", "outcome"), [(23, SKIPPED), (25, None)])
def test_production_follows_the_release_that_soaked_in_the_earlier_environment(
    monkeypatch, hours, outcome
):
    first = make_release().environment
    second = make_release(cluster={"namespace": "prod"}).environment
    configured = {
        "dev": first.model_copy(update={"rebuilds": NightlyRebuilds(enabled=False)}),
        "prod": second.model_copy(update={"rebuilds": NightlyRebuilds(after="dev")}),
    }
    live = order.deployment(order.record(), environment="prod")
    clusters = {"apps": in_cluster(hours), "prod": {"Deployment": [live], "Pod": []}}
    newest = Current(frozenset({"sha256:" + "3" * 64}), pin="sha256:" + "3" * 64)
    monkeypatch.setattr(environments, "load", lambda: configured)
    monkeypatch.setattr(
        plan_rebuilds,
        "_ours",
        lambda environment, _version, kind: clusters[environment.cluster.namespace][kind],
    )
    monkeypatch.setattr(plan_rebuilds, "_look_up", lambda *_what: {order.BASE: newest})
    pushed = {}
    ti = SimpleNamespace(
        xcom_push=lambda key, value: pushed.update({key: value}), try_number=1, max_tries=3
    )
    run = SimpleNamespace(conf={}, run_type="scheduled", triggering_user_name=None)

    planned = PlanRebuilds(task_id="plan").execute({"ti": ti, "dag_run": run})

    rows = {row["environment"]: row for row in pushed[ROWS]}
    assert rows["dev"]["sentence"] == "rebuilds.enabled is false in environments.yaml."
    assert rows["prod"].get("outcome") == outcome
    if outcome:
        assert "It waits for dev: it has run there only since" in rows["prod"]["sentence"]
    else:
        assert planned[0]["conf"]["rebuild"]["bases"] == {order.BASE: order.NEW}
