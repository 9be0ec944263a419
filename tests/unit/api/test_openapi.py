"""The OpenAPI document is complete: every answer has a schema, every refusal a problem."""

from __future__ import annotations

from typing import Any

import pytest
from manifest_engine.api import app
from manifest_engine.api.openapi import reference
from manifest_engine.domain.environment import environments

DOCUMENT: dict[str, Any] = app.create().openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_describes_all_its_answers(operation):
    assert operation["summary"]
    assert operation["security"]
    for status, response in operation["responses"].items():
        (media, content), *others = response["content"].items()
        assert not others
        assert content["schema"]
        assert (media == "application/problem+json") == (status >= "400")
    assert {"401", "403", "429"} <= operation["responses"].keys()


def test_every_reference_has_a_schema():
    schemas = DOCUMENT["components"]["schemas"]

    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return {found for item in value for found in references(item)}
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own | {found for item in value.values() for found in references(item)}
        return set()

    found = references(DOCUMENT)
    assert "#/components/schemas/Problem" in found
    assert {item.removeprefix("#/components/schemas/") for item in found} <= schemas.keys()


def test_the_body_of_a_deployment_is_a_manifest():
    body = DOCUMENT["paths"]["/api/v1/deployments"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"] == {"$ref": "#/components/schemas/Manifest"}
    assert "port" in DOCUMENT["components"]["schemas"]["Manifest"]["properties"]


def test_the_reference_page_is_current():
    page = environments.INCLUDE.parent / "docs/api-reference.md"
    assert page.read_text() == reference.text(DOCUMENT), "run make schema"
