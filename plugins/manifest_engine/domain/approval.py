"""A person lets a release go on: what they are shown, and the record that later steps demand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain import marks
from manifest_engine.domain.environment import Approval
from manifest_engine.domain.errors import StateError
from manifest_engine.domain.manifest_sections import Rebuild
from manifest_engine.domain.model import Model
from manifest_engine.domain.release import Release

_VALUE_LONGEST = 120
_NOT_SHOWN = ("version", "environment", "dryRun", "notes")
"""Told above the table, or nothing that changes the service."""
_ABSENT = "(none)"


class Approved(Model):
    """Who let which image go on in which run."""

    model_config = ConfigDict(validate_by_name=True)

    digest: str
    run_id: str
    approved_by: str
    approved_at: datetime

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


def needed(release: Release) -> bool:
    """Whether a person has to let it go on."""
    wanted = release.environment.approval
    rebuild = release.manifest.rebuild
    if rebuild is None or not release.by_dag:
        # Anybody can write the field: the base images in it are those of their own choice.
        return wanted is not None
    return rebuild_asks(wanted, rebuild)


def rebuild_asks(wanted: Approval | None, rebuild: Rebuild) -> bool:
    """Whether a person has to let a nightly rebuild go on.

    Its manifest and artifact are those of the live release (``domain.rebuild`` sees to that), so an
    environment may let it pass.

    :param wanted: of the environment.
    """
    if wanted is None:
        return False
    return rebuild.artifact_sha256 is None or not wanted.exempt_rebuilds


def is_own(release: Release, who: str) -> bool:
    """Whether somebody's approval counts for nothing, since they asked for the run themselves.

    :param who: name of the Airflow user.
    """
    wanted = release.environment.approval
    return wanted is not None and not wanted.self_approval and who == release.requested_by


def check(data: Any, release: Release, digest: str) -> None:
    """Demand the record where the environment wants one.

    A task that is green is no proof: anyone who may edit runs can mark it so.

    :raises StateError: when there is none, it is about another image or of another run, or by
        somebody whose word does not count.
    """
    if not needed(release):
        return
    try:
        found = Approved.model_validate(data or {}, strict=False)
    except ValidationError:
        found = None
    if found is None or (found.digest, found.run_id) != (digest, release.run_id):
        raise StateError(
            f"The environment {release.manifest.environment!r} asks for an approval, and nobody "
            f"has approved {digest[: len('sha256:') + 12]} in this run, so it does not run "
            "there; clear the task approve and answer it."
        )
    if is_own(release, found.approved_by):
        raise StateError(self_approved(release, found.approved_by))


def self_approved(release: Release, who: str) -> str:
    """A sentence."""
    return (
        f"{who} has asked for this run, and in {release.manifest.environment!r} nobody approves a "
        "run of their own (selfApproval in environments.yaml); somebody else has to answer."
    )


def subject(release: Release) -> str:
    """One line."""
    manifest = release.manifest
    return f"Deploy {release.name} {manifest.version} to {manifest.environment}?"


def body(release: Release, digest: str, live: Mapping[str, Any] | None) -> str:
    """What would change against the live Deployment, in Markdown."""
    notes = marks.noted(live)
    wanted = marks.of_release(release, digest, {})
    old, new = _manifest(notes), _manifest(wanted)
    who = f"**{release.requested_by}**"
    if is_own(release, release.requested_by):
        who += ", who may not approve it"
    lines = [f"Asked for by {who}; nothing of the image has run there yet."]
    if release.manifest.notes:
        lines += ["", *(f"> {line}" for line in release.manifest.notes.splitlines())]
    lines += ["", "| | live | after |", "|---|---|---|"]
    lines.append(_row("version", old.get("version", _ABSENT), release.manifest.version))
    lines.append(_row("image digest", notes.get(marks.DIGEST, _ABSENT), digest))
    if live is None:
        return "\n".join([*lines, "", f"It would be the first release at {release.url}"])
    changed = [_row(*change) for change in _changes(old, new)]
    nothing = ["", "No other field of the manifest changes."] if not changed else []
    return "\n".join([*lines, *changed, *nothing, "", f"Public at {release.url}"])


def _manifest(notes: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(notes.get(marks.MANIFEST, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for key in sorted(before.keys() | after.keys()):
        if key not in _NOT_SHOWN and before.get(key) != after.get(key):
            yield key, before.get(key, _ABSENT), after.get(key, _ABSENT)


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{path}{key}.")
        else:
            yield path + key, item if isinstance(item, str) else json.dumps(item)


def _row(name: str, before: str, after: str) -> str:
    return f"| {name} | {_cell(before)} | {_cell(after)} |"


def _cell(text: str) -> str:
    """As code, so that nothing in it is read as Markdown or breaks the table."""
    if text == _ABSENT:
        return text
    short = text if len(text) <= _VALUE_LONGEST else text[:_VALUE_LONGEST] + "…"
    plain = " ".join(short.split()).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else "(empty)"
