"""The order of nightly rebuilds: what the earlier environment runs, and whether it has soaked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.rebuild import plan as rebuild_plan
from manifest_engine.domain.rebuild import soak
from manifest_engine.domain.rebuild.plan import Planned
from manifest_engine.domain.rebuild.soak import Earlier
from manifest_engine.domain.rebuild.table import SKIPPED, UNCHANGED, Row

from tests.unit.domain.rebuild.test_rebuild_plan import (
    BASE,
    NEW,
    STANDARD,
    deployment,
    read,
    record,
)

NOW = datetime(2026, 1, 10, 3, 0, tzinfo=UTC)
NEWEST = "sha256:" + "3" * 64
CURRENT = {BASE: Current(frozenset({NEWEST}), pin=NEWEST)}


def decide(earlier: Earlier, *, built: Any = None, **options: Any) -> Any:
    service = read(deployment(built or record()))
    options = {"force": False} | options
    return rebuild_plan.decide(service, CURRENT, STANDARD, earlier=earlier, **options)


def in_dev(problem: str = "", **changes: Any) -> Earlier:
    """The service in ``dev``, whose image is on the base image ``NEW``."""
    built = record(**({"bases": {BASE: NEW}} | changes))
    return Earlier("dev", read(deployment(built)), problem)


def test_a_rebuild_gets_the_base_image_that_the_earlier_environment_runs():
    planned = decide(in_dev())
    assert isinstance(planned, Planned)
    assert planned.conf["rebuild"]["bases"] == {BASE: NEW}


def test_a_service_on_the_base_image_of_the_earlier_environment_is_unchanged():
    built = record(bases={BASE: NEW})
    assert decide(in_dev(), built=built) == Row("pricing-quotes", "dev", UNCHANGED)
    assert decide(in_dev("it was restarted"), built=built).outcome == UNCHANGED


@pytest.mark.parametrize(
    ("earlier", "why"),
    [
        (Earlier("dev"), "no release of it is recorded"),
        (in_dev("its pod a-1 was restarted"), "It waits for dev: its pod a-1 was restarted."),
        (in_dev(bases={}), f"which does not use {BASE}"),
        (in_dev(dockerfile=b"FROM scratch\n"), "whose Dockerfile is to be renewed"),
    ],
)
def test_a_rebuild_waits_for_the_earlier_environment(earlier, why):
    row = decide(earlier)
    assert row.outcome == SKIPPED
    assert why in row.sentence


def test_force_heeds_the_order_unless_it_names_the_service():
    assert decide(Earlier("dev"), force=True).outcome == SKIPPED
    planned = decide(Earlier("dev"), force=True, insists=True)
    assert planned.conf["rebuild"]["bases"] == {BASE: NEWEST}


def test_a_service_opts_out_by_its_manifest():
    service = read(deployment(record(), nightlyRebuilds=False))
    row = rebuild_plan.decide(service, CURRENT, STANDARD, force=True)
    assert (row.outcome, row.sentence) == (SKIPPED, "Its manifest has nightlyRebuilds: false.")
    named = rebuild_plan.decide(service, CURRENT, STANDARD, force=True, insists=True)
    assert isinstance(named, Planned)


def live(hours: float) -> Any:
    made = deployment(record())
    since = (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    made["status"]["conditions"][0]["lastUpdateTime"] = since
    return made


def pod(
    *, started: float = 30, ready: float = 29.99, restarts: int = 0, state: str = "True"
) -> Any:
    """A pod with its times in hours before ``NOW``."""

    def time(hours: float) -> str:
        return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    condition = {"type": "Ready", "status": state, "lastTransitionTime": time(ready)}
    return {
        "metadata": {"name": "pricing-quotes-1"},
        "status": {
            "startTime": time(started),
            "conditions": [condition],
            "containerStatuses": [{"name": "app", "restartCount": restarts}],
        },
    }


def test_a_release_that_ran_undisturbed_has_soaked():
    assert soak.problem(live(30), [pod(), pod(started=2, ready=1.9)], 24, NOW) == ""


@pytest.mark.parametrize(
    ("hours", "pods", "why"),
    [
        (23, [pod()], "it has run there only since 2026-01-09 04:00 (soakHours is 24)"),
        (30, [], "it has no pods there"),
        (30, [pod(), pod(restarts=1)], "its pod pricing-quotes-1 was restarted"),
        (30, [pod(state="False")], "its pod pricing-quotes-1 is not ready"),
        (30, [pod(ready=5)], "a probe of its pod pricing-quotes-1 failed before 2026-01-09 22:00"),
    ],
)
def test_a_release_that_has_not_soaked_says_why(hours, pods, why):
    assert soak.problem(live(hours), pods, 24, NOW) == why


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ({"dev": "prod"}, "names 'prod', which is not configured"),
        ({"dev": "dev"}, "makes a circle: dev after dev"),
        ({"dev": "stage", "stage": "dev"}, "makes a circle: dev after stage after dev"),
    ],
)
def test_an_impossible_order_is_refused(after, why, tmp_path):
    import yaml

    given = yaml.safe_load(environments.default_path().read_text())
    first = next(iter(given["environments"].values()))
    made = {}
    for name, before in after.items():
        cluster = first["cluster"] | {"namespace": name}
        made[name] = first | {"cluster": cluster, "rebuilds": {"after": before}}
    file = tmp_path / "environments.yaml"
    file.write_text(yaml.safe_dump({"environments": made}))
    with pytest.raises(ConfigurationError, match=why):
        environments.load(file)
