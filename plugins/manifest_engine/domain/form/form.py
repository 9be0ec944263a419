"""The run form: each field of the manifest as a JSON Schema for Airflow's form.

Airflow's form supports ``type: [T, "null"]`` for an optional field, but neither ``anyOf``, which
pydantic writes, nor ``$ref``. The form shows fields without a ``section`` in the section that is
open at first. The form has only a JSON editor for objects, so the task ``validate`` checks their
keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest.manifest import Manifest

_KEPT = ("section", "format", "minimum", "maximum", "maxLength")
_REQUIRED_TEXT = {"minLength": 1}


class FormField(NamedTuple):
    """One parameter of the DAG. A required parameter has no default."""

    name: str
    required: bool
    default: Any
    schema: dict[str, Any]


def form_fields(environments: Mapping[str, Environment]) -> list[FormField]:
    """The fields in the manifest's order. ``environment`` offers the configured environments."""
    properties = _properties()
    return [
        _field(name, properties[field.alias or name], environments, required=field.is_required())
        for name, field in Manifest.model_fields.items()
        if name != "rebuild"  # set by rebuild_services, not by a user
    ]


@cache
def _properties() -> dict[str, Any]:
    """The properties of the manifest's JSON Schema; cached, since pydantic does not cache it."""
    return dict(Manifest.model_json_schema(by_alias=True)["properties"])


def request_fields(model: type[Model], environments: Mapping[str, Environment]) -> list[FormField]:
    """The fields of a run conf other than the manifest; a field without a title is the manifest's.

    :param model: the run conf.
    """
    shared = {field.name: field for field in form_fields(environments)}
    return [
        _own_field(field.alias or name, field, environments)
        if field.title
        else shared[field.alias or name]
        for name, field in model.model_fields.items()
    ]


def environment_choice(environments: Mapping[str, Environment]) -> dict[str, Any]:
    """Schema of a field that offers the environments with their descriptions."""
    shown = {
        key: f"{key}: {value.description}" if value.description else key
        for key, value in environments.items()
    }
    return {"enum": sorted(environments), "values_display": shown}


def _own_field(name: str, field: FieldInfo, environments: Mapping[str, Environment]) -> FormField:
    kind, required = "boolean" if field.annotation is bool else "string", field.is_required()
    rules: dict[str, Any] = {
        "type": kind if required or kind == "boolean" else [kind, "null"],
        "title": field.title,
        "description_md": field.description,
    }
    if required:
        rules |= _REQUIRED_TEXT
    elif name == "environment":
        named = environment_choice(environments)
        rules["enum"] = [None, *named["enum"]]
        rules["values_display"] = {"null": "all environments", **named["values_display"]}
    return FormField(name, required, None if required else field.default, rules)


def _field(
    name: str, schema: dict[str, Any], environments: Mapping[str, Environment], *, required: bool
) -> FormField:
    field = Manifest.model_fields[name]
    alias = field.alias or name
    kind, rules = _flatten(schema)
    made: dict[str, Any] = {key: rules[key] for key in _KEPT if key in rules}
    made |= {
        "type": kind if required else [kind, "null"],
        "title": field.title,
        "description_md": field.description,
    }
    if alias == "environment":
        made |= environment_choice(environments)
    elif required:
        made |= _REQUIRED_TEXT
    default = field.get_default(call_default_factory=True)
    if required:
        default = None
    elif hasattr(default, "model_dump"):
        default = default.model_dump(by_alias=True, mode="json")
    return FormField(alias, required, default, made)


def _flatten(schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Type and rules, with ``anyOf [T, null]`` replaced by ``T``."""
    branches = schema.get("anyOf", [schema])
    inner = next(branch for branch in branches if branch.get("type") != "null")
    rules = {**inner, **{key: value for key, value in schema.items() if key != "anyOf"}}
    return inner.get("type", "object"), rules
