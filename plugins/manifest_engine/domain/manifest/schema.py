"""Generates ``include/manifest.schema.json``, the JSON Schema of the manifest."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import DEFAULT_REF_TEMPLATE

from manifest_engine.domain.manifest.manifest import Manifest


def schema(ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """The JSON Schema in the dialect 2020-12.

    :param ref_template: where ``$ref`` finds a definition.
    """
    made = Manifest.model_json_schema(by_alias=True, ref_template=ref_template)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Manifest of a deployment",
    }


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
