"""The question to an approver, in Markdown of bounded length and without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.markdown import block, code, table
from manifest_engine.domain.dry_run.difference import ACTION_TEXT, NONE, Change
from manifest_engine.domain.record import redaction
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.removal.removal import Removal

_NAME_MAX = 100
_VALUE_MAX = 120
_TEXT_MAX = 2_000
_ROWS_MAX = 40
"""Rows of a table. The manifest and the dry run have the rest."""
_PODS_MAX = 10
_NOT_SHOWN = ("version", "environment", "dryRun", "notes")
"""Fields that are shown elsewhere or do not change the service."""
_OUR_ANNOTATIONS = "metadata.annotations[manifest-engine.io/"
"""Prefix of fields that repeat the table of the manifest."""
_ENV, _DATA = ".env[", "data"
"""Parts of a field's name whose value may be a secret. The table of the manifest shows the others.
"""

Json = Mapping[str, Any]


def deploy_subject(release: Release) -> str:
    """The question in one line."""
    name, version, where = release.name, release.manifest.version, release.environment_name
    if release.rollback:
        return f"Roll {name} in {where} back to {version}?"
    return f"Deploy {name} {version} to {where}?"


def deploy_body(
    release: Release,
    digest: str,
    live: Json | None,
    changes: Sequence[Change],
    problem: str = "",
) -> str:
    """The changes against the live release, and in the cluster.

    :param changes: changes of a server-side dry run.
    :param problem: why the dry run failed, as a sentence.
    """
    annotations = annotation.read_annotations(live)
    old = annotation.recorded_manifest(annotations)
    new = annotation.manifest(release)
    lines = [f"{_asked_by(release)} Nothing of the image has run in the environment yet."]
    if release.manifest.notes:
        lines += ["", block(release.manifest.notes, _TEXT_MAX)]
    rows = [
        ("version", _value(old.get("version")), _value(new["version"])),
        ("image digest", _value(annotations.get(annotation.DIGEST)), _value(digest)),
    ]
    changed = [] if live is None else list(_changes(old, new))
    lines += ["", *table(("", "live", "after"), [*rows, *changed[:_ROWS_MAX]]), ""]
    if more := changed[_ROWS_MAX:]:
        lines += [f"{len(more)} more fields of the manifest change.", ""]
    if live is None:
        lines.append(f"This would be the first release, {release.reach}")
    elif changed:
        lines.append(_first_upper(release.reach))
    else:
        lines.append(f"No other field of the manifest changes. {_first_upper(release.reach)}")
    lines += ["", "**In the cluster**, by a server-side dry run:", ""]
    lines += _in_cluster(changes)
    if problem:
        lines += ["", "The dry run failed, and the deployment is likely to fail as well:", ""]
        lines.append(block(problem, _TEXT_MAX))
    return "\n".join(lines)


def removal_subject(removal: Removal) -> str:
    """The question in one line."""
    return f"Remove {removal.name} from {removal.environment_name}?"


def removal_body(
    removal: Removal, live: Json | None, pods: Sequence[Json], objects: Iterable[str]
) -> str:
    """The live release and the objects that the removal deletes.

    :param live: the live Deployment.
    :param pods: pods of the service.
    :param objects: objects to delete, such as ``HTTPRoute pricing-quotes``.
    """
    annotations = annotation.read_annotations(live)
    lines = [_asked_by(removal)]
    if live is None:
        lines += ["", f"{removal.name} is not deployed there."]
    else:
        recorded = annotation.recorded_manifest(annotations)
        version, digest = recorded.get("version"), annotations.get(annotation.DIGEST)
        by = annotations.get(annotation.REQUESTED_BY)
        since = annotations.get(annotation.REQUESTED_AT)
        rows = [
            ("live release", f"{_value(version)}, {_value(digest)}"),
            ("asked for by", f"{_value(by)} at {_value(since)}"),
            ("pods", _pods(pods)),
            ("public at", "nowhere (internal)" if recorded.get("internal") else removal.url),
        ]
        lines += ["", *table(("", ""), rows)]
    names = list(objects)
    lines += ["", "**Would be removed**; images stay:" if names else "No object would be removed."]
    lines += ["", *(f"- {code(name, _NAME_MAX)}" for name in names)]
    return "\n".join(lines)


def _asked_by(planned: approval.Planned) -> str:
    who = f"Asked for by {code(planned.requested_by, _NAME_MAX)}"
    if approval.is_own(planned, planned.requested_by):
        who += ", who may not approve it"
    return f"{who}."


def _in_cluster(changes: Sequence[Change]) -> list[str]:
    lines = [
        f"- {code(f'{change.kind} {change.name}', _NAME_MAX)} {ACTION_TEXT[change.action]}"
        for change in changes
    ]
    rows = [
        (
            code(change.kind, _NAME_MAX),
            code(field.field, _NAME_MAX),
            *(
                code("***" if _may_be_secret(field.field) else text, _VALUE_MAX)
                for text in (field.before, field.after)
            ),
        )
        for change in changes
        for field in change.fields
        if not field.field.startswith(_OUR_ANNOTATIONS)
    ]
    if rows:
        lines += ["", *table(("object", "field", "live", "after"), rows[:_ROWS_MAX])]
    if more := rows[_ROWS_MAX:]:
        lines += ["", f"{len(more)} more fields change."]
    return lines


def _may_be_secret(field: str) -> bool:
    """Whether the field has the value of a variable or the content of a file."""
    return _ENV in field or field.startswith(_DATA)


def _pods(pods: Sequence[Json]) -> str:
    ready = sum(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for pod in pods
        for condition in (pod.get("status") or {}).get("conditions") or []
    )
    names = [code(pod["metadata"]["name"], _NAME_MAX) for pod in pods[:_PODS_MAX]]
    names += [f"{len(pods) - _PODS_MAX} more"] if len(pods) > _PODS_MAX else []
    return f"{ready} of {len(pods)} ready" + (f": {', '.join(names)}" if names else "")


def _changes(old: Json, new: Json) -> Iterator[tuple[str, str, str]]:
    before, after = dict(_flat(old)), dict(_flat(new))
    hidden_before, hidden_after = (dict(_flat(redaction.redacted(item))) for item in (old, new))
    for key in sorted(before.keys() | after.keys()):
        if key in _NOT_SHOWN or before.get(key) == after.get(key):
            continue
        yield (
            code(key, _NAME_MAX),
            _value(hidden_before.get(key, redaction.HIDDEN) if key in before else None),
            _value(hidden_after.get(key, redaction.HIDDEN) if key in after else None),
        )


def _flat(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{path}{key}.")
        else:
            yield path + key, item if isinstance(item, str) else json.dumps(item)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _value(text: Any) -> str:
    return NONE if text is None else code(str(text), _VALUE_MAX)
