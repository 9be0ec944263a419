"""What a dry run shows: how each object would change, field by field."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from manifest_engine.domain.release import annotations as annotation

Json = dict[str, Any]

_OF_THE_SERVER = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_BOOKKEEPING = (
    *annotation.ABOUT_THE_RUN,
    annotation.OBJECTS,
    annotation.LAST_GOOD,
    annotation.FIRST,
    annotation.RELEASE_HASH,
)
"""Annotations that change whenever anything else does, and say nothing to a person."""
_LONGEST = 200
NONE = "(none)"


@dataclass(frozen=True)
class FieldChange:
    """One field, as ``spec.template.spec.containers[app].image``, before and after, as JSON."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Change:
    """What would happen to one object."""

    kind: str
    name: str
    action: Literal["create", "change", "unchanged", "remove"]
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind} {self.name}: {WORDS[self.action]}"
        return "\n".join([head, *(f"    {field}" for field in self.fields)])

    def dump(self) -> Json:
        """As JSON-compatible data, for XCom."""
        return asdict(self) | {"fields": [asdict(item) for item in self.fields]}


WORDS = {
    "create": "would be created",
    "change": "would change",
    "unchanged": "stays as it is",
    "remove": "would be removed",
}
"""By action."""


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Change:
    """The change from a live object, None if there is none, to what applying would make of it."""
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
    """The same changes with one text put in another's place, such as that of an unknown digest."""
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
    """Without what the server or a run notes, and with the manifest as what it is, not as text."""
    made = copy.deepcopy({key: an_object[key] for key in an_object if key != "status"})
    metadata = made["metadata"]
    for key in _OF_THE_SERVER:
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
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
