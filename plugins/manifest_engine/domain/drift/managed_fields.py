"""Who owns which field: the sets in ``metadata.managedFields`` of server-side apply.

Format: sigs.k8s.io/structured-merge-diff, ``fieldpath/serialize.go`` and ``serialize-pe.go``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from manifest_engine.domain.release.labels import MANAGER

Json = dict[str, Any]
Path = tuple[str, ...]
"""The steps to a field, such as ``("f:spec", "f:replicas")``. A step is ``f:NAME``, ``k:KEYS`` (an
item of a list, by its keys as JSON), ``v:VALUE`` (an item of a set) or ``i:INDEX``."""
MISSING: Any = object()
"""The value of a field that an object does not have."""
_SELF = "."
"""Stands for the field itself, beside the fields in it."""


def entries(an_object: Mapping[str, Any]) -> list[Json]:
    """The field managers of an object, without those that write the status."""
    found = an_object["metadata"].get("managedFields") or []
    return [item for item in found if item.get("subresource") != "status"]


def members(fields: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    """The owned fields in a set, each before the fields in it."""
    for step, inner in fields.items():
        if step != _SELF:
            path = (*above, step)
            if not inner or _SELF in inner:
                yield path
            yield from members(inner, path)


def to_fields(paths: Iterable[Path]) -> Json:
    """The set with these fields."""
    made: Json = {}
    owned = set(paths)
    for path in sorted(owned):
        node = made
        for depth, step in enumerate(path):
            if path[:depth] in owned:
                node[_SELF] = {}
            node = node.setdefault(step, {})
    return made


def value(an_object: Any, path: Path) -> Any:
    """The value of a field, :data:`MISSING` if the object does not have the field."""
    found = an_object
    for step in path:
        found = next((item for _, item in _inner(found, step)), MISSING)
    return found


def without(an_object: Json, paths: Iterable[Path]) -> Json:
    """A copy of the object without some fields, and without lists and maps that become empty."""
    made = copy.deepcopy(an_object)
    for path in sorted(paths, key=len):  # an item is found by its keys, so before its fields
        for end in range(len(path), 0, -1):
            holder = value(made, path[: end - 1])
            for key, item in list(_inner(holder, path[end - 1])):
                if end == len(path) or not item:
                    del holder[key]
    return made


def text(path: Path) -> str:
    """The field for a person, such as ``spec.template.spec.containers[app].image``."""
    made = ""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            plain = name.replace("_", "").isalnum()
            made += f".{name}" if plain else f"[{name}]"
        else:
            keys = json.loads(name)
            made += f"[{'/'.join(map(str, keys.values() if isinstance(keys, dict) else [keys]))}]"
    return made.removeprefix(".")


def handed_over(
    live: Mapping[str, Any], taken: Mapping[str, set[Path]], released: set[Path]
) -> list[Json]:
    """The managed fields of an object after our field manager took fields over.

    :param taken: fields by the field manager that loses them.
    :param released: fields that our field manager gives up. A field without an owner keeps its
        value.
    """
    made: list[Json] = []
    mine = {path for paths in taken.values() for path in paths}
    for entry in live["metadata"].get("managedFields") or []:
        ours = _is_ours(entry)
        if entry.get("subresource") == "status" or not (ours or entry["manager"] in taken):
            made.append(entry)
            continue
        owned = set(members(entry.get("fieldsV1") or {}))
        kept = (owned | mine) - released if ours else owned - taken[entry["manager"]]
        if kept:
            made.append(entry if kept == owned else entry | {"fieldsV1": to_fields(kept)})
    if mine and not any(map(_is_ours, made)):
        made.append(
            {
                "manager": MANAGER,
                "operation": "Apply",
                "apiVersion": live["apiVersion"],
                "fieldsType": "FieldsV1",
                "fieldsV1": to_fields(mine),
            }
        )
    return made


def obsolete(managed: Iterable[Json], desired: Mapping[str, Any]) -> list[Path]:
    """The fields that our field manager owns and that an apply of ``desired`` would remove."""
    paths = (members(entry.get("fieldsV1") or {}) for entry in managed if _is_ours(entry))
    return [path for owned in paths for path in owned if value(desired, path) is MISSING]


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return bool(entry["manager"] == MANAGER and entry["operation"] == "Apply")


def _inner(holder: Any, step: str) -> Iterator[tuple[Any, Any]]:
    """Key or index, and value, of the field that a step leads to."""
    kind, _, name = step.partition(":")
    if kind == "f":
        if isinstance(holder, dict) and name in holder:
            yield name, holder[name]
    elif isinstance(holder, list):
        wanted = json.loads(name)
        for index, item in enumerate(holder):
            if kind == "k":
                same = isinstance(item, dict) and all(
                    item.get(key) == inner for key, inner in wanted.items()
                )
            else:
                same = (index if kind == "i" else item) == wanted
            if same:
                yield index, item
                return
