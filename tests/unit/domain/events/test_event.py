"""The events of a run, in the structure that CDEvents 0.5.1 prescribes.

The keys and types below are those of cdevents/spec, tag v0.5.1: ``schemas/*.json`` (each has
``additionalProperties: false``), ``custom/schema.json`` and ``conformance/*.json``.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

import pytest
from manifest_engine.domain.environment.tell import KINDS
from manifest_engine.domain.events import event as events
from packageurl import PackageURL

from tests.unit.domain.events import runs
from tests.unit.domain.events.runs import END, LIVE, facts, failed

_CONTEXT = {"specversion", "id", "source", "type", "timestamp"}
_CONTEXT_OPTIONAL = {"chainId", "schemaUri", "links"}
_CONTENT = {
    "dev.cdevents.artifact.packaged.0.3.0": ({"change"}, {"sbom"}),
    "dev.cdevents.artifact.published.0.3.0": (set(), {"sbom", "user"}),
    "dev.cdevents.service.deployed.0.3.0": ({"environment", "artifactId"}, set()),
    "dev.cdevents.service.upgraded.0.3.0": ({"environment", "artifactId"}, set()),
    "dev.cdevents.service.rolledback.0.3.0": ({"environment", "artifactId"}, set()),
    "dev.cdevents.service.removed.0.3.0": ({"environment"}, set()),
}
"""Required and optional keys of ``subject.content``."""
_CUSTOM = re.compile(r"^dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]$")
_REMOVED = {("record_removal", "return_value"): runs.CONF | {"removed": ["HTTPRoute x"]}}
_REMOVAL = {
    "dag": "remove_service",
    "xcoms": _REMOVED,
    "states": {"record_removal": "success"},
}
_ROLLBACK = {
    "dag": "rollback_service",
    "xcoms": {
        ("validate_rollback", "return_value"): {"manifest": runs.CONF},
        ("validate_rollback", "push"): {"image": runs.IMAGE, "digest": runs.DIGEST},
        ("apply_deployment", "return_value"): {"changed": True, "first": False},
        ("record_release", "return_value"): runs.SUMMARY,
    },
}


def kinds(run: events.RunFacts) -> list[str]:
    return [event.kind for event in events.of_end(run)]


def with_(place: tuple[str, str], **changes: object) -> dict[tuple[str, str], object]:
    return LIVE | {place: LIVE[place] | changes}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (facts(), ["artifact.packaged", "artifact.published", "service.deployed"]),
        (
            facts(xcoms=with_(("apply_deployment", "return_value"), first=False)),
            ["artifact.packaged", "artifact.published", "service.upgraded"],
        ),
        (
            facts(xcoms=with_(("build_image", "return_value"), reused=True)),
            ["artifact.published", "service.deployed"],
        ),
        (
            facts(xcoms=with_(("push_image", "return_value"), pushed=False)),
            ["service.deployed"],
        ),
        (
            facts(xcoms=with_(("record_release", "return_value"), overwritten=["by kubectl"])),
            ["artifact.packaged", "artifact.published", "service.drifted", "service.deployed"],
        ),
        (facts(states={"validate": "success"}, xcoms={}), []),  # a dry run
        (facts(**_ROLLBACK), ["service.rolledback"]),
        (facts(**_REMOVAL), ["service.removed"]),
        (facts(dag="remove_service", xcoms={}, states={}), []),  # nothing was there
        (facts(dag="restart_service", xcoms=_ROLLBACK["xcoms"]), []),
        (failed(), ["deployment.failed"]),
        (failed("apply_deployment", "rolled back"), ["deployment.failed"]),
        (failed("apply_deployment", "superseded"), ["deployment.superseded"]),
        (failed(note="Cancelled by ada."), ["deployment.cancelled"]),
        (facts("failed", states={}, xcoms={}), ["deployment.failed"]),  # killed before any step
        (facts("running", ended=None), []),
    ],
)  # fmt: skip
def test_the_events_of_a_run(run, told):
    assert kinds(run) == told


def test_a_release_that_was_already_live_has_no_event():
    same = with_(("apply_deployment", "return_value"), changed=False)
    assert "service.deployed" not in kinds(facts(xcoms=same))


ALL = [
    *events.of_end(facts(xcoms=with_(("record_release", "return_value"), overwritten=["by x"]))),
    *events.of_end(facts(xcoms=with_(("apply_deployment", "return_value"), first=False))),
    *events.of_end(facts(**_ROLLBACK)),
    *events.of_end(facts(**_REMOVAL)),
    *events.of_end(failed()),
    *events.of_end(failed("apply_deployment", "superseded")),
    *events.of_end(failed(note="Cancelled by ada.")),
    events.of_wait(facts("running", ended=None), END),
]


def test_all_kinds_are_examined():
    assert {event.kind for event in ALL} == set(KINDS)


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.kind)
def test_an_event_has_the_structure_of_cdevents(event):
    data = event.data
    assert set(data) == {"context", "subject", "customData", "customDataContentType"}
    context, subject = data["context"], data["subject"]
    assert set(context) >= _CONTEXT
    assert set(context) <= _CONTEXT | _CONTEXT_OPTIONAL
    assert set(subject) == {"id", "source", "content"}
    assert context["specversion"] == "0.5.1"
    assert uuid.UUID(context["chainId"]).version == 4
    assert datetime.fromisoformat(context["timestamp"]) == event.time
    assert all(isinstance(value, str) and value for value in context.values())
    if context["type"] in _CONTENT:
        required, optional = _CONTENT[context["type"]]
        assert required <= set(subject["content"]) <= required | optional
    else:
        assert _CUSTOM.match(context["type"])
    if "environment" in subject["content"]:
        assert subject["content"]["environment"] == {"id": "dev"}
    if "change" in subject["content"]:
        assert subject["content"]["change"] == {"id": "1.4.0", "source": runs.ARTIFACT}


def test_the_artifact_is_a_package_url():
    made = events.purl(facts())
    assert made is not None
    read = PackageURL.from_string(made)
    assert (read.type, read.name, read.version) == ("oci", "quotes", runs.DIGEST)
    assert read.qualifiers == {"repository_url": runs.REPOSITORY, "tag": "1.4.0"}


def test_ids_are_equal_for_the_same_end_and_differ_for_another_end():
    first, again = events.of_end(facts()), events.of_end(facts())
    assert [event.id for event in first] == [event.id for event in again]
    later = events.of_end(facts(ended=END + timedelta(hours=1)))  # cleared and run again
    other = events.of_end(facts(run_id="api__2"))
    ids = [event.id for made in (first, later, other) for event in made]
    assert len(set(ids)) == len(ids)


def test_the_event_of_a_failure_has_the_users_error():
    (event,) = events.of_end(failed())
    content = event.data["subject"]["content"]
    assert content["step"] == "smoke_test"
    assert content["sentence"] == "The service answered 500 instead of 200."
    assert content["service"] == "pricing/quotes"
    told = event.data["customData"]
    assert told["state"] == "failed"
    assert told["link"] == "https://airflow.example.com/dags/deploy_service/runs/api__1"
    assert told["by"] == "ada"


def test_the_event_of_a_run_that_was_ended_by_hand():
    (event,) = events.of_end(facts("failed", states={}, xcoms={}, message="timed_out"))
    assert "longer than its DAG allows" in event.data["subject"]["content"]["sentence"]
    (event,) = events.of_end(failed(note="Cancelled by ada."))
    assert event.data["subject"]["content"]["sentence"] == "Cancelled by ada."
