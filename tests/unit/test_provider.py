"""The metadata that Airflow reads agrees with the package."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from airflow.sdk._shared.module_loading import import_string
from manifest_engine.provider import get_provider_info

ROOT = Path(__file__).resolve().parents[2]
TYPES = {item["connection-type"]: item for item in get_provider_info()["connection-types"]}


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_that_of_its_hook(kind: str):
    hook = import_string(TYPES[kind]["hook-class-name"])
    assert hook.conn_type == kind
    assert hook.hook_name == TYPES[kind]["hook-name"]
    assert callable(hook.test_connection)
    hook(**{hook.conn_name_attr: "some_connection"})


@pytest.mark.parametrize("kind", TYPES)
def test_each_field_of_a_form_is_one_that_the_hook_reads(kind: str):
    for name, field in TYPES[kind]["conn-fields"].items():
        jsonschema.Draft202012Validator.check_schema(field["schema"])
        sources = [*(ROOT / "plugins/manifest_engine/hooks").rglob("*.py")]
        assert any(f'"{name}"' in source.read_text() for source in sources), name
