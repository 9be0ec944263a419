"""Completes FastAPI's OpenAPI document: adds the refusals of each route and the manifest."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from manifest_engine.api import problem
from manifest_engine.api.openapi.schemas import Problem
from manifest_engine.domain.manifest import schema

_EVERY = {
    "401": "No token, or an expired one.",
    "403": "The caller may not do this.",
    "429": "Too many requests from this client; `Retry-After` is the wait in seconds.",
    "500": "An unexpected error; the log of the API server names its cause.",
}
_WITH_BODY = {"400": "The body is not text in UTF-8.", "413": "The body is too large."}
_WITH_INPUT = {"422": "A parameter or the body is not valid; `detail` names it."}
_COMPONENTS = "#/components/schemas"
MANIFEST = "Manifest"
"""A request body with this title gets the manifest's schema."""
_REFERENCE = {"$ref": f"{_COMPONENTS}/Manifest"}


def install(app: FastAPI) -> None:
    """Make the app serve the complete document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            app.openapi_schema = complete(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the refusals of each operation, and the schemas of `Problem` and of the manifest."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = f"{_COMPONENTS}/{{model}}"
    own = Problem.model_json_schema(by_alias=True, ref_template=template)
    schemas |= own.pop("$defs", {})
    schemas["Problem"] = own
    manifest = schema.schema(ref_template=f"{_COMPONENTS}/Manifest{{model}}")
    manifest.pop("$schema")
    schemas |= {f"Manifest{name}": rules for name, rules in manifest.pop("$defs", {}).items()}
    schemas["Manifest"] = _nullable(manifest)
    content = {problem.MEDIA_TYPE: {"schema": {"$ref": f"{_COMPONENTS}/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            # This API answers 422 with a `Problem`, not with FastAPI's default body.
            if responses.get("422", {}).get("description") == "Validation Error":
                del responses["422"]
            for content_of_body in operation.get("requestBody", {}).get("content", {}).values():
                if content_of_body["schema"].get("title") == MANIFEST:
                    content_of_body["schema"] = _REFERENCE
            body, parameters = operation.get("requestBody"), operation.get("parameters")
            added = _EVERY | (_WITH_BODY if body else {})
            added |= _WITH_INPUT if body or parameters else {}
            for status, description in added.items():
                responses.setdefault(status, {"description": description})
            for status, response in responses.items():
                if int(status) >= 400:
                    response["content"] = content
            operation["responses"] = dict(sorted(responses.items()))
    return document


def _nullable(manifest: dict[str, Any]) -> dict[str, Any]:
    """The schema with null allowed for each optional field: null counts as missing."""
    null = {"type": "null"}
    properties = {
        name: rules
        if name in manifest["required"] or null in rules.get("anyOf", ())
        else {"anyOf": [rules, null]}
        for name, rules in manifest["properties"].items()
    }
    return manifest | {"properties": properties}
