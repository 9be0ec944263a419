"""The form, the schema file and the reference page derive from the model."""

import json

import pytest
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.manifest import reference as manifest_reference
from manifest_engine.domain.manifest import schema as manifest_schema

ENVIRONMENTS = environments.load(environments.INCLUDE / "environments.yaml")
FIELDS = {field.name: field for field in form.form_fields(ENVIRONMENTS)}


def test_the_fields_have_the_order_of_the_model():
    assert list(FIELDS)[:5] == ["component", "serviceName", "version", "environment", "artifact"]


def test_only_required_fields_have_no_default():
    required = [name for name, field in FIELDS.items() if field.required]
    assert required == ["component", "serviceName", "version", "environment"]


def test_the_environments_are_a_dropdown_with_their_descriptions():
    schema = FIELDS["environment"].schema
    assert schema["enum"] == ["dev"]
    assert schema["values_display"] == {"dev": "dev: Development"}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if not field.required])
def test_optional_fields_may_be_empty(name):
    assert FIELDS[name].schema["type"][1] == "null"


def test_notes_are_multiline_and_objects_are_json():
    assert FIELDS["notes"].schema["format"] == "multiline"
    assert FIELDS["env"].schema["type"] == ["object", "null"]


def test_every_field_has_title_and_description():
    for field in FIELDS.values():
        assert field.schema["title"]
        assert field.schema["description_md"]


def test_required_fields_are_in_the_open_section():
    for field in FIELDS.values():
        assert field.required != ("section" in field.schema)


def test_the_form_has_the_defaults_of_the_model():
    filled = {"component": "a", "serviceName": "b", "version": "1", "environment": "dev"}
    defaults = {name: field.default for name, field in FIELDS.items() if not field.required}
    assert manifest.parse(filled | defaults) == manifest.parse(filled)


def test_the_schema_file_matches_the_model():
    written = json.loads((environments.INCLUDE / "manifest.schema.json").read_text())
    assert written == manifest_schema.schema(), "run `make schema`"


def test_the_reference_page_matches_the_model():
    page = environments.INCLUDE.parent / "docs/manifest.md"
    assert page.read_text() == manifest_reference.text(), "run `make schema`"


def test_the_example_manifests_are_valid():
    examples = sorted((environments.INCLUDE / "examples").glob("*.json"))
    assert len(examples) >= 4
    for path in examples:
        manifest.parse(json.loads(path.read_text()))
