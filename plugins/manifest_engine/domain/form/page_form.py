"""The form of the page that deploys: makes inputs of the manifest's schema, and reads them back.

An input's name is the dotted key of the manifest, such as ``smokeTest.path``. A map has one pair of
inputs for each row, named ``env#key`` and ``env#value``. An empty input means the default and is
not written to the manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from manifest_engine.domain.manifest.manifest import Manifest

_NOT_SHOWN = ("rebuild", "dryRun")
"""Only nightly runs set ``rebuild``, and the page has a button for a dry run."""
_NUMBER = re.compile(r"-?\d{1,9}")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
FIRST = "Service"
"""Title of the section for fields without a section in the schema."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """An input, or a group of inputs."""

    path: str
    title: str
    description: str
    kind: str
    """``text``, ``area``, ``number``, ``flag``, ``choice``, ``lines`` (a list of texts), ``rows``
    (a map), ``json`` (anything else) or ``group``."""
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    example: str = ""
    longest: int | None = None
    parts: tuple[Field, ...] = ()
    """The fields of a group."""


@dataclass(frozen=True)
class Section:
    """Fields under one title."""

    title: str
    fields: tuple[Field, ...]


@cache
def sections() -> tuple[Section, ...]:
    """All fields in the manifest's order."""
    schema = Manifest.model_json_schema(by_alias=True)
    found: dict[str, list[Field]] = {}
    for key, rules in schema["properties"].items():
        if key not in _NOT_SHOWN:
            made = _field(key, rules, schema, required=key in schema["required"])
            found.setdefault(rules.get("section", FIRST), []).append(made)
    return tuple(Section(title, tuple(fields)) for title, fields in found.items())


def values(manifest: Json) -> dict[str, Any]:
    """The values of the inputs for a manifest, by path; a map is a list of pairs."""
    made: dict[str, Any] = {}
    for field in _leaves():
        found = _get(manifest, field.path)
        if field.kind == "flag":
            made[field.path] = field.default if found is None else bool(found)
        elif found is None or found in ({}, []) or (found == field.default and not field.required):
            made[field.path] = [] if field.kind == "rows" else ""
        elif field.kind == "rows" and isinstance(found, dict):
            made[field.path] = [(str(key), str(value)) for key, value in found.items()]
        elif field.kind == "lines" and isinstance(found, list):
            made[field.path] = "\n".join(map(str, found))
        else:
            made[field.path] = found if isinstance(found, str | int) else json.dumps(found)
    return made


def manifest(inputs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The manifest for the values of the inputs, without validation.

    :param inputs: name and text of each input, as a browser sends them.
    """
    given: dict[str, list[str]] = {}
    for name, text in inputs:
        given.setdefault(name, []).append(text.replace("\r\n", "\n"))
    made: dict[str, Any] = {}
    for field in _leaves():
        if field.kind == "rows":
            keys, texts = (given.get(f"{field.path}#{part}", ()) for part in ("key", "value"))
            rows = zip(keys, texts, strict=False)
            value: Any = {key.strip(): text for key, text in rows if key.strip() or text}
        elif field.kind == "flag":
            flag = field.path in given
            value = None if flag == field.default else flag
        else:
            text = (given.get(field.path) or [""])[-1]
            value = _read(field, text) if text.strip() else None
        if value not in (None, {}, []):
            _set(made, field.path, value)
    return made


def _read(field: Field, text: str) -> Any:
    if field.kind == "number":
        return int(text) if _NUMBER.fullmatch(text.strip()) else text
    if field.kind == "lines":
        return [line for line in text.split("\n") if line.strip()]
    if field.kind == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text if field.kind == "area" else text.strip()


@cache
def _leaves() -> tuple[Field, ...]:
    return tuple(
        leaf for section in sections() for field in section.fields for leaf in _flat(field)
    )


def _flat(field: Field) -> Iterator[Field]:
    if field.kind != "group":
        yield field
    for part in field.parts:
        yield from _flat(part)


def _field(path: str, rules: Json, schema: Json, *, required: bool = False) -> Field:
    plain = _resolved(rules, schema)
    kind = _kind(plain)
    parts: tuple[Field, ...] = ()
    if kind == "group":
        parts = tuple(
            _field(f"{path}.{key}", rule, schema) for key, rule in plain["properties"].items()
        )
    examples = plain.get("examples") or [""]
    return Field(
        path,
        rules["title"] if "." not in path and "title" in rules else _words(path),
        plain.get("description", ""),
        kind,
        required,
        plain.get("default") if kind != "flag" else bool(plain.get("default")),
        tuple(plain.get("enum", ())),
        str(examples[0]),
        plain.get("maxLength"),
        parts,
    )


def _resolved(rules: Json, schema: Json) -> dict[str, Any]:
    """The rules without references and without the branch for null."""
    branches = rules.get("anyOf", [rules])
    inner = next(branch for branch in branches if branch.get("type") != "null")
    if reference := inner.get("$ref"):
        inner = schema["$defs"][reference.rsplit("/", 1)[-1]]
    return {**inner, **{key: value for key, value in rules.items() if key not in ("anyOf", "$ref")}}


def _kind(rules: Json) -> str:
    if "enum" in rules:
        return "choice"
    kind = rules.get("type")
    if kind == "string":
        return "area" if rules.get("format") == "multiline" else "text"
    if kind == "object":
        if "properties" in rules:
            return "group"
        values = rules.get("additionalProperties")
        return "rows" if isinstance(values, dict) and values.get("type") == "string" else "json"
    if kind == "array":
        return "lines" if rules.get("items", {}).get("type") == "string" else "json"
    return {"integer": "number", "boolean": "flag"}.get(str(kind), "json")


def _words(path: str) -> str:
    """A title for a nested key, such as *Requests cpu* for ``resources.requests.cpu``."""
    text = " ".join(_CAPITAL.sub(" ", step).lower() for step in path.split(".")[1:])
    return text[:1].upper() + text[1:]


def _get(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _set(made: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for step in parents:
        made = made.setdefault(step, {})
    made[last] = value
