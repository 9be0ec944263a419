"""The events of a run, in the format of CDEvents.

Sources: CDEvents 0.5.1 (https://github.com/cdevents/spec, tag v0.5.1: spec.md, schemas/,
custom/schema.json, cloudevents-binding.md) and CloudEvents 1.0.2. CDEvents reserves the namespace
``dev.cdeventsx`` for custom events.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from packageurl import PackageURL

from manifest_engine.domain.environment.tell import Kind
from manifest_engine.domain.events.facts import RunFacts, moment

SPEC = "0.5.1"
"""The version of CDEvents."""
_OURS = ("deployment.", "service.drifted")
_FAILED: dict[str, Kind] = {
    "failed": "deployment.failed",
    "rolled back": "deployment.failed",
    "superseded": "deployment.superseded",
    "cancelled": "deployment.cancelled",
}
_TOLD = (
    *("action", "by", "from", "dag", "run", "requestedAt", "startedAt", "endedAt"),
    *("component", "serviceName", "version", "environment", "digest", "url"),
    *("approvedBy", "approvedAt", "failedStep", "sentence"),
)
"""Keys of the audit entry that are copied to ``customData``."""


@dataclass(frozen=True)
class Event:
    """An event, ready to be sent."""

    kind: Kind
    id: str
    """Derived from the run, the time and the type, so a repeated event has the same id."""
    type: str
    source: str
    subject: str
    time: datetime
    data: dict[str, Any]
    """The complete CDEvent."""


def type_of(kind: Kind) -> str:
    """The type of an event in CloudEvents and CDEvents."""
    if kind.startswith(_OURS):
        return f"dev.cdeventsx.manifestengine-{kind}.0.1.0"
    return f"dev.cdevents.{kind}.0.3.0"


def of_end(facts: RunFacts) -> list[Event]:
    """The events of an ended run, in order."""
    if not facts.has_ended or facts.run.ended_at is None:
        return []
    make = _Maker(facts, facts.run.ended_at)
    return [
        make.event(kind, subject, content)
        for kind, subject, content in (*_artifacts(facts), *_service(facts))
    ]


def of_wait(facts: RunFacts, at: datetime) -> Event:
    """The event of a run that waits for approval.

    :param at: start of the wait.
    """
    content: dict[str, Any] = {"environment": _environment(facts)}
    if artifact := purl(facts):
        content["artifactId"] = artifact
    return _Maker(facts, at).event("deployment.waiting", facts.run.run_id, content)


def purl(facts: RunFacts) -> str | None:
    """The image as a package URL; None if the run has no image yet.

    Source: https://github.com/package-url/purl-spec, type oci.
    """
    image = str(facts.pushed.get("image") or facts.value("record_release").get("image") or "")
    repository, _, digest = image.partition("@")
    if not digest:
        return None
    qualifiers = {"repository_url": repository}
    if version := facts.entry["version"]:
        qualifiers["tag"] = str(version)
    name = repository.rpartition("/")[2].lower()
    return PackageURL(type="oci", name=name, version=digest, qualifiers=qualifiers).to_string()


def _artifacts(facts: RunFacts) -> Iterable[tuple[Kind, str, dict[str, Any]]]:
    built, pushed, image = facts.value("build_image"), facts.value("push_image"), purl(facts)
    if image is None or not pushed.get("pushed"):
        return
    release = facts.value("validate")
    if built and not built.get("reused"):
        change = {"id": str(facts.entry["version"]), "source": quote(str(release.get("artifact")))}
        yield "artifact.packaged", image, {"change": change}
    yield "artifact.published", image, {"user": str(facts.entry["by"])}


def _service(facts: RunFacts) -> Iterable[tuple[Kind, str, dict[str, Any]]]:
    state, entry, where = facts.state, facts.entry, {"environment": _environment(facts)}
    service = f"{entry['component']}/{entry['serviceName']}"
    applied = facts.value("apply_deployment")
    if entry.get("overwritten"):
        yield "service.drifted", service, where | {"overwritten": entry["overwritten"]}
    if state == "live" and applied.get("changed") and facts.run.dag_id != "restart_service":
        kind: Kind = "service.deployed" if applied.get("first") else "service.upgraded"
        if facts.run.dag_id == "rollback_service":
            kind = "service.rolledback"
        yield kind, service, where | {"artifactId": purl(facts) or "unknown"}
    elif state == "removed":
        yield "service.removed", service, where
    elif state in _FAILED:
        content = where | {"state": state, "service": service}
        content |= {"step": entry["failedStep"], "sentence": entry["sentence"]}
        if image := purl(facts):
            content["artifactId"] = image
        yield _FAILED[state], facts.run.run_id, content


def _environment(facts: RunFacts) -> dict[str, str]:
    return {"id": str(facts.entry["environment"] or "unknown")}


class _Maker:
    def __init__(self, facts: RunFacts, at: datetime) -> None:
        self._facts = facts
        self._at = at

    def event(self, kind: Kind, subject: str, content: dict[str, Any]) -> Event:
        facts, run = self._facts, self._facts.run
        source = f"{facts.base_url}/manifest-engine"
        of_run = [source, run.dag_id, run.run_id]
        made_id = _uuid([*of_run, moment(self._at), kind])
        data = {
            "context": {
                "specversion": SPEC,
                "id": made_id,
                "source": source,
                "type": type_of(kind),
                "timestamp": moment(self._at),
                "chainId": _uuid(of_run),
            },
            "subject": {"id": subject, "source": source, "content": content},
            "customData": {
                "state": "waiting for approval" if kind == "deployment.waiting" else facts.state,
                "link": facts.link,
                **{
                    key: value
                    for key in _TOLD
                    if (value := facts.entry.get(key)) not in (None, "unknown")
                },
            },
            "customDataContentType": "application/json",
        }
        return Event(kind, made_id, type_of(kind), source, subject, self._at, data)


def _uuid(parts: list[str]) -> str:
    """A UUID that depends only on the parts, with the version bits of a version 4 UUID."""
    hashed = hashlib.sha256(json.dumps(parts).encode()).digest()
    return str(uuid.UUID(bytes=hashed[:16], version=4))
