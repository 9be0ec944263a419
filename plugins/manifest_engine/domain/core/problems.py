"""Turns validation errors of pydantic into sentences that name the nearest valid key or form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from manifest_engine.domain.core import printable

_KINDS: dict[str, str] = {
    "string_type": "must be text (in JSON: in double quotes)",
    "int_type": "must be a whole number (in JSON: without quotes)",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object of keys and values",
    "model_type": "must be an object of keys and values",
    "missing": "is missing",
}
_PATTERNS: dict[str, str] = {
    "artifactSha256": "must be 64 lower-case hexadecimal digits",
    "utilsVersion": "must be a version such as 1.4.2",
}
_ANY_OTHER_PATTERN = "must be a path that begins with '/'"
_PROBLEMS_MAX = 6
"""Problems that are listed; the others are counted."""
_PROBLEM_MAX = 500
"""Characters of one problem, which quotes the refused value."""


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problems of a value for ``model``, and the number of further problems."""
    found = error.errors(include_url=False)
    listed = [
        printable.excerpt(sentence(item, model), _PROBLEM_MAX) for item in found[:_PROBLEMS_MAX]
    ]
    if len(found) > _PROBLEMS_MAX:
        listed.append(f"and {len(found) - _PROBLEMS_MAX} more problems")
    return "; ".join(listed)


def sentence(item: ErrorDetails, model: type[BaseModel]) -> str:
    """One problem of a value for ``model``."""
    place = ".".join(str(step) for step in item["loc"])
    kind = item["type"]
    if kind == "extra_forbidden":
        return _unknown_key([str(step) for step in item["loc"]], model)
    if kind == "value_error":
        text = str(item["ctx"]["error"]) if "ctx" in item else item["msg"]
        return f"{place}: {text}" if place else text
    if kind == "string_pattern_mismatch":
        return f"{place} {_PATTERNS.get(place, _ANY_OTHER_PATTERN)}"
    return f"{place} {_KINDS.get(kind, item['msg'][0].lower() + item['msg'][1:])}"


def _unknown_key(place: Sequence[str], model: type[BaseModel]) -> str:
    *parents, key = place
    known = [field.alias or name for name, field in _model_at(parents, model).model_fields.items()]
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.6)
    hint = f"did you mean {lower[close[0]]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {'.'.join(place)!r} ({hint})"


def _model_at(parents: Sequence[str], model: type[BaseModel]) -> type[BaseModel]:
    """The model of the nested block at the path ``parents``, which also has the keys of maps."""
    for parent in parents:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if parent in fields:  # else a key of a map, whose values the model describes
            model = next(_models(fields[parent].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type such as ``dict[str, Volume] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
