"""Which deployed services are rebuilt, and why."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.rebuild import deployed
from manifest_engine.domain.rebuild import plan as rebuild_plan
from manifest_engine.domain.rebuild.deployed import Selection
from manifest_engine.domain.rebuild.plan import Planned
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, UNCHANGED, Row
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import provenance
from manifest_engine.domain.release.provenance import Provenance
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

STANDARD = b"FROM python:3.11\n"
BASE = "docker.io/library/python:3.11"
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
ARGS = {"SOURCE_DATE_EPOCH": "315532800", "SERVICE_VERSION": "1.0"}
SAME = {BASE: Current(frozenset({OLD}), pin=OLD)}
MOVED = {BASE: Current(frozenset({NEW}), pin=NEW)}


def record(*, dockerfile: bytes = STANDARD, standard: bool = True, **changes: Any) -> Provenance:
    given = {"args": ARGS, "bases": {BASE: OLD}} | changes
    return provenance.of(dockerfile, standard=standard, **given)


def deployment(built: Provenance | None = None, *, done: bool = True, **fields: Any) -> Any:
    made = resources.workload(
        make_release(**fields), DIGEST, ARTIFACT, built.dump() if built else None
    )[0]
    made["metadata"]["generation"] = 3
    conditions = [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}] if done else []
    made["status"] = {"observedGeneration": 3, "updatedReplicas": 1, "conditions": conditions}
    return made


def read(found: Any, environment: str = "dev", configured: Any = ("dev",)) -> Any:
    return deployed.read(found, environment, configured)


def decide(built: Provenance | None, current: Any = SAME, *, force: bool = False) -> Any:
    service = read(deployment(built))
    return rebuild_plan.decide(service, current, STANDARD, force=force)


def test_an_image_with_current_base_and_dockerfile_is_unchanged():
    assert decide(record()) == Row("pricing-quotes", "dev", UNCHANGED)


@pytest.mark.parametrize(
    ("built", "current", "why"),
    [
        (None, {}, "not recorded"),
        (record(), MOVED, f"{BASE} has changed: sha256:111111111111 is sha256:222222222222 now."),
        (record(dockerfile=b"FROM python:3.10\n"), SAME, "standard Dockerfile has changed"),
        (record(args={"SERVICE_VERSION": "1.0"}), SAME, "build arguments have changed"),
    ],
)
def test_a_changed_input_is_rebuilt_with_its_reason(built, current, why):
    assert why in decide(built, current).row.sentence


def test_an_artifacts_own_dockerfile_is_not_compared_with_the_standard_one():
    own = record(dockerfile=b"FROM python:3.11\nRUN true\n", standard=False)
    assert decide(own).outcome == UNCHANGED


def test_an_image_that_was_rolled_back_is_not_built_again_until_a_base_changes():
    left = record(bases={BASE: NEW})
    made = deployment(record())
    made["metadata"]["annotations"][annotation.ROLLED_BACK_FROM] = provenance.annotation_value(
        left.dump()
    )
    service = read(made)
    found = rebuild_plan.decide(service, MOVED, STANDARD, force=False)
    assert found.outcome == SKIPPED
    assert "It was rolled back" in found.sentence
    assert isinstance(rebuild_plan.decide(service, MOVED, STANDARD, force=True), Planned)
    newest = {BASE: Current(frozenset({DIGEST}), pin=DIGEST)}
    assert isinstance(rebuild_plan.decide(service, newest, STANDARD, force=False), Planned)


def test_a_rebuild_conf_is_the_recorded_manifest_with_a_rebuild_block():
    found = decide(record(), MOVED)
    assert isinstance(found, Planned)
    live = annotation.read_annotations(deployment(record()))
    assert found.conf.pop("rebuild") == {
        "releaseHash": live[annotation.RELEASE_HASH],
        "digest": DIGEST,
        "artifactSha256": ARTIFACT["sha256"],
        "bases": {BASE: NEW},
        "noCache": False,
    }
    assert found.conf == annotation.manifest(make_release())


def test_force_rebuilds_an_unchanged_service_without_cache():
    found = decide(record(), force=True)
    assert found.conf["rebuild"]["noCache"] is True


def test_an_image_that_only_engines_have_is_not_pinned():
    engines = {BASE: Current(frozenset({OLD, NEW}))}
    assert decide(record(), engines).outcome == UNCHANGED
    gone = {BASE: Current(frozenset({NEW}))}
    assert decide(record(), gone).conf["rebuild"]["bases"] == {}


@pytest.mark.parametrize(
    ("built", "force"),
    [(record(), False), (record(), True), (record(dockerfile=b"FROM python:3.10\n"), False)],
)
def test_a_base_that_cannot_be_looked_up_fails_its_services(built, force):
    found = decide(built, {BASE: Current(problem="Nobody knows it.")}, force=force)
    assert (found.outcome, found.sentence) == (FAILED, "Nobody knows it.")


def test_a_base_named_by_digest_is_never_looked_up():
    pinned = record(bases={f"{BASE}@{OLD}": OLD})
    service = read(deployment(pinned))
    assert rebuild_plan.distinct_bases([service]) == []
    assert rebuild_plan.decide(service, {}, STANDARD, force=False).outcome == UNCHANGED


def test_each_base_is_looked_up_once_for_all_services():
    services = [read(deployment(record())) for _ in range(3)]
    assert rebuild_plan.distinct_bases(services) == [BASE]


def test_a_deployment_of_another_environment_in_the_same_namespace_is_not_listed():
    assert read(deployment(), "prod", ("dev", "prod")) is None


def test_a_deployment_of_an_unknown_environment_is_a_failure():
    found = read(deployment(), "development", ("development",))
    assert (found.environment, found.outcome) == ("dev", FAILED)
    assert "'dev', which is no longer configured" in found.sentence


def test_incomplete_removed_and_foreign_deployments_are_skipped():
    unfinished = read(deployment(done=False))
    going = deployment()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    foreign = deployment()
    del foreign["metadata"]["annotations"]
    found = [unfinished, read(going), read(foreign)]
    assert [item.outcome for item in found] == [SKIPPED] * 3
    assert len({item.sentence for item in found}) == 3


def test_a_recorded_manifest_that_is_no_longer_valid_is_a_failure():
    made = deployment()
    made["metadata"]["annotations"][annotation.MANIFEST] = (
        '{"environment": "dev", "component": "X"}'
    )
    found = read(made)
    assert found.outcome == FAILED
    assert "no longer valid" in found.sentence


def test_services_above_max_map_length_wait_for_the_next_run():
    planned = [decide(None) for _ in range(3)]
    taken, rest = rebuild_plan.limit_to_one_run(planned, 2)
    assert len(taken) == 2
    assert [(row.outcome, "another run" in row.sentence) for row in rest] == [(SKIPPED, True)]


def needing_approval(number: int) -> list[Planned]:
    service = read(deployment(record()))
    made = rebuild_plan.decide(service, MOVED, STANDARD, force=False, approval=Approval())
    assert isinstance(made, Planned)
    return [made] * number


def test_rebuilds_that_need_an_approval_come_last_and_are_limited():
    alone = decide(None)
    begun, rest = rebuild_plan.limit_approvals(
        [*needing_approval(rebuild_plan.APPROVALS + 2), alone]
    )
    assert begun[0] == alone
    assert [item.needs_approval for item in begun[1:]] == [True] * rebuild_plan.APPROVALS
    assert [row.outcome for row in rest] == [SKIPPED] * 2
    assert "asks for approvals" in rest[0].sentence


@pytest.mark.parametrize(
    ("selection", "covered"),
    [
        (Selection(), True),
        (Selection(component="pricing"), True),
        (Selection(component="pricing", service_name="quotes"), True),
        (Selection(component="other"), False),
        (Selection(component="pricing", service_name="other"), False),
    ],
)
def test_a_run_can_select_a_component_or_a_service(selection, covered):
    assert selection.covers(deployment()) is covered


def test_a_provenance_record_is_read_back_and_a_damaged_one_counts_as_missing():
    made = record()
    assert provenance.read(provenance.annotation_value(made.dump())) == made
    assert made.dockerfile == hashlib.sha256(STANDARD).hexdigest()
    assert provenance.read(None) is None
    assert provenance.read("{") is None
    assert provenance.read('{"dockerfile": 1}') is None
