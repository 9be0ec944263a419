"""The result of a dry run: how each object would change, field by field."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from manifest_engine.domain.release import annotations as annotation

Json = dict[str, Any]

_SET_BY_SERVER = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_BOOKKEEPING = (
    *annotation.ABOUT_THE_RUN,
    annotation.OBJECTS,
    annotation.LAST_GOOD,
    annotation.GOOD,
    annotation.FIRST,
    annotation.RELEASE_HASH,
)
"""Annotations that change with every release and do not interest a reader."""
_VALUE_MAX = 200
"""Characters of one value."""
NONE = "(none)"


@dataclass(frozen=True)
class FieldChange:
    """One field, such as ``spec.template.spec.containers[app].image``, with both values as JSON."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Change:
    """How one object would change."""

    kind: str
    name: str
    action: Literal["create", "change", "unchanged", "remove"]
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind} {self.name}: {ACTION_TEXT[self.action]}"
        return "\n".join([head, *(f"    {field}" for field in self.fields)])

    def dump(self) -> Json:
        """As JSON-compatible data, for XCom."""
        return asdict(self) | {"fields": [asdict(item) for item in self.fields]}


ACTION_TEXT = {
    "create": "would be created",
    "change": "would change",
    "unchanged": "stays as it is",
    "remove": "would be removed",
}


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Change:
    """Compare a live object with the result of a server-side dry run.

    :param before: the live object; None when it does not exist.
    """
    kind, name = after["kind"], after["metadata"]["name"]
    if before is None:
        return Change(kind, name, "create")
    old, new = (dict(_flat(_shown(an_object), "")) for an_object in (before, after))
    fields = tuple(
        FieldChange(field, _text(old, field), _text(new, field))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field)
    )
    return Change(kind, name, "change" if fields else "unchanged", fields)


def replace_text(changes: list[Change], old: str, new: str) -> list[Change]:
    """Replace a text in all new values, such as the placeholder of a digest."""
    return [
        Change(
            change.kind,
            change.name,
            change.action,
            tuple(
                FieldChange(item.field, item.before, item.after.replace(old, new))
                for item in change.fields
            ),
        )
        for change in changes
    ]


def _shown(an_object: Mapping[str, Any]) -> Json:
    """The object without bookkeeping of the server and of runs, and with a parsed manifest."""
    made = copy.deepcopy({key: an_object[key] for key in an_object if key != "status"})
    metadata = made["metadata"]
    for key in _SET_BY_SERVER:
        metadata.pop(key, None)
    annotations = metadata.get("annotations") or {}
    for key in _BOOKKEEPING:
        annotations.pop(key, None)
    if text := annotations.get(annotation.MANIFEST):
        annotations[annotation.MANIFEST] = json.loads(text)
    return made


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            plain = key.replace("_", "").isalnum()
            step = (f".{key}" if path else key) if plain else f"[{key}]"
            yield from _flat(item, path + step)
    elif isinstance(value, list) and value:
        names = [item.get("name") if isinstance(item, dict) else None for item in value]
        named = all(names) and len(set(names)) == len(names)
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}[{names[number] if named else number}]")
    else:
        yield path, value


def _text(fields: Mapping[str, Any], field: str) -> str:
    if field not in fields:
        return NONE
    text = json.dumps(fields[field], ensure_ascii=False)
    return text if len(text) <= _VALUE_MAX else text[:_VALUE_MAX] + "…"
