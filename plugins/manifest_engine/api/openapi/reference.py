"""Generates ``docs/api-reference.md``, the reference of the HTTP API, from the OpenAPI document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = """\
# Reference of the HTTP API

`make schema` generates this page from the routes and their models. [api.md](api.md) explains how to
log in, deploy and follow. All paths are below `/manifest-engine`. The body of every refusal is a
`Problem`. Every route can also answer 401, 403, 429 and 500.
"""
_EVERY = frozenset({"401", "403", "429", "500"})
_NOT_SHOWN = "Manifest"
"""Prefix of the models that ``docs/manifest.md`` describes."""


def text(document: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD
    tags: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found = tags.setdefault(operation["tags"][0], [])
            found += _operation(f"{method.upper()} {path}", operation)
    for tag, lines in tags.items():
        yield f"## {tag}\n"
        yield from lines
    yield "## Models\n"
    for name, model in document["components"]["schemas"].items():
        if "properties" in model and (name == "ManifestProblem" or _NOT_SHOWN not in name):
            yield f"### {name}\n"
            yield f"{_plain(model['description'])}\n"
            yield from _table(model)


def _operation(title: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{title}`\n"
    yield f"{operation['summary']}. {_plain(operation['description'])}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | description |"
        yield "|---|---|---|---|"
        for item in parameters:
            described = item.get("description") or item["schema"].get("description", "")
            needed = "required" if item["required"] else "optional"
            kind = f"{_type(item['schema'])}, {needed}"
            yield f"| `{item['name']}` | {item['in']} | {kind} | {_cell(described)} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"Body: {_type(body['content']['application/json']['schema'])}.\n"
    yield "| status | answer |"
    yield "|---|---|"
    for status, response in operation["responses"].items():
        if status not in _EVERY:
            yield f"| {status} | {_cell(_answer(status, response))} |"
    yield ""


def _answer(status: str, response: Mapping[str, Any]) -> str:
    ((media, content),) = response["content"].items()
    if status >= "400":
        return str(response["description"])
    kind = _type(content["schema"]) if media == "application/json" else f"`{media}`"
    described = response["description"]
    return kind if described == "Successful Response" else f"{kind}. {described}"


def _table(model: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | type | description |"
    yield "|---|---|---|"
    for name, rules in model["properties"].items():
        described = _plain(rules.get("description", ""))
        if examples := rules.get("examples"):
            example = json.dumps(examples[0], ensure_ascii=False).strip('"')
            described = f"{described} E.g. `{example}`".strip()
        yield f"| `{name}` | {_type(rules)} | {_cell(described)} |"
    yield ""


def _type(rules: Mapping[str, Any]) -> str:
    """The type in words; a model is a link to its table."""
    if "anyOf" in rules:
        return " or ".join(_type(branch) for branch in rules["anyOf"])
    if "$ref" in rules:
        name = rules["$ref"].rpartition("/")[2]
        if name == _NOT_SHOWN:
            return "[manifest](manifest.md)"
        return f"[{name}](#{name.lower()})"
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"])
    if rules.get("type") == "array":
        return f"list of {_type(rules['items'])}" if rules.get("items") else "list"
    return str(rules.get("type", "any value"))


def _plain(described: str) -> str:
    return " ".join(described.split())


def _cell(described: str) -> str:
    return _plain(described).replace("|", r"\|")


def main() -> None:
    """Write the page to the standard output."""
    from manifest_engine.api import app

    sys.stdout.write(text(app.create().openapi()))


if __name__ == "__main__":
    main()
