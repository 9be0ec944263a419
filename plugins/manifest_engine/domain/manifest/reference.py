"""Generates ``docs/manifest.md``, the reference of the manifest."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from manifest_engine.domain.manifest.schema import schema

_HEAD = """\
# The manifest

The manifest is the run conf of `deploy_service`: one flat JSON object. A key that this page does
not list is refused, and the error suggests the nearest one. A key whose value is `null` counts as
not given.

A manifest has at most 64 KiB (65,536 bytes as compact JSON in UTF-8). `validate` refuses a larger
manifest, and a manifest whose compressed Kubernetes objects take more than 92 KiB: the annotations
of a Deployment hold the objects of two releases, for a rollback. Ordinary text compresses well.
Values that look random, such as Base64, reach the 92 KiB first, at about 44 KB of manifest. Linux
does not start a process with an environment variable of more than 131,071 bytes (`NAME=value`).

`make schema` generates this page from the model that also checks each manifest and makes the form.
[`include/manifest.schema.json`](../include/manifest.schema.json) is the JSON Schema of the same
model.
"""
_FIRST = "Service, version and environment"
_UNLISTED = frozenset({"rebuild"})
"""Keys that only the DAG ``rebuild_services`` sets."""


def text() -> str:
    """The page in Markdown."""
    return "\n".join(_lines(schema()))


def _lines(made: dict[str, Any]) -> Iterator[str]:
    yield _HEAD
    required = set(made["required"])
    properties: dict[str, Any] = made["properties"]
    sections = dict.fromkeys(rules.get("section", _FIRST) for rules in properties.values())
    for section in sections:
        chosen = {
            name: rules
            for name, rules in properties.items()
            if rules.get("section", _FIRST) == section and name not in _UNLISTED
        }
        yield f"## {section}\n"
        yield from _table(chosen, required, made["$defs"])
    for name, rules in properties.items():
        target = _object(rules, made["$defs"])
        if target and name not in _UNLISTED:
            yield f"## `{name}`\n"
            yield f"{target['description']}\n"
            yield from _table(target["properties"], set(target.get("required", ())), made["$defs"])


def _table(
    properties: dict[str, Any], required: set[str], definitions: dict[str, Any]
) -> Iterator[str]:
    yield "| key | type | default | description |"
    yield "|---|---|---|---|"
    for name, rules in properties.items():
        inner = _inner(rules, definitions)
        default = "required" if name in required else _default(name, rules, inner)
        description = rules.get("description") or inner.get("description") or ""
        cell = description.replace("|", r"\|")
        yield f"| `{name}` | {_type(inner)} | {default} | {cell} |"
    yield ""


def _inner(rules: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The rules of a value other than null, with ``$ref`` resolved."""
    branches = rules.get("anyOf", [rules])
    found = next(branch for branch in branches if branch.get("type") != "null")
    return definitions[found["$ref"].rpartition("/")[2]] if "$ref" in found else found


def _object(rules: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any] | None:
    """The object that a key holds, or that each value of a map holds."""
    inner = _inner(rules, definitions)
    values = inner.get("additionalProperties")
    if isinstance(values, dict) and "$ref" in values:
        inner = _inner(values, definitions)
    return inner if "properties" in inner else None


def _type(rules: dict[str, Any]) -> str:
    named = "map" if "additionalProperties" in rules and "properties" not in rules else ""
    found = named or str(rules.get("type", "object"))
    low, high, longest = rules.get("minimum"), rules.get("maximum"), rules.get("maxLength")
    if low is not None and high is not None:
        found += f", {low} to {high}"
    return f"{found}, at most {longest} characters" if longest else found


def _default(name: str, rules: dict[str, Any], inner: dict[str, Any]) -> str:
    default = rules.get("default")
    if "default" not in rules and "properties" in inner:
        return f"[below](#{name.lower()})"
    return "none" if default in (None, {}, []) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    sys.stdout.write(text())
