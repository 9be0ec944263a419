from __future__ import annotations

import json
from pathlib import Path

import pytest
from manifest_engine.domain.form import page_form
from manifest_engine.domain.manifest.manifest import Manifest

EXAMPLES = Path(__file__).parents[4] / "include/examples"
FULL = {
    "component": "pricing",
    "serviceName": "quotes",
    "version": "1.4.0",
    "environment": "dev",
    "port": 8080,
    "env": {"LEVEL": "info", "EMPTY": ""},
    "secretEnv": {"PASSWORD": "pricing-quotes-db/password"},
    "resources": {"requests": {"cpu": "200m"}},
    "command": ["python3", "-m", "worker"],
    "files": {"/etc/a.yaml": "level: info\nmode: x\n"},
    "volumes": {"/tmp/cache": {"emptyDir": {}}},
    "smokeTest": {"path": "/ready", "expectStatus": 204},
    "route": {"stripPrefix": False},
    "liveness": {"kind": "none"},
    "nightlyRebuilds": False,
    "notes": "a\nb",
}


TICKED = [("route.stripPrefix", "true"), ("nightlyRebuilds", "true")]
"""Check boxes that are ticked by default; a browser sends nothing for an unticked box."""


def sent(manifest):
    """What a browser sends for a form that shows the manifest."""
    for path, value in page_form.values(manifest).items():
        if isinstance(value, list):
            for key, text in value:
                yield f"{path}#key", key
                yield f"{path}#value", text
        elif isinstance(value, bool):
            yield from [(path, "true")] if value else []
        else:
            yield path, str(value)


@pytest.mark.parametrize(
    "given", [FULL, *(json.loads(file.read_text()) for file in sorted(EXAMPLES.glob("*.json")))]
)
def test_the_form_of_a_manifest_gives_the_same_manifest(given):
    made = page_form.manifest(sent(given))
    assert Manifest.model_validate(made) == Manifest.model_validate(given)


def test_a_complete_manifest_is_not_changed_by_the_form():
    assert page_form.manifest(sent(FULL)) == FULL


def test_an_empty_form_gives_an_empty_manifest():
    assert page_form.manifest(sent({})) == {}


def test_the_form_keeps_a_text_that_is_not_a_number():
    assert page_form.manifest([*TICKED, ("port", "80a"), ("volumes", "{")]) == {
        "port": "80a",
        "volumes": "{",
    }


def test_a_row_without_a_name_is_left_out():
    inputs = [("env#key", " "), ("env#value", ""), ("env#key", " A "), ("env#value", "1 ")]
    assert page_form.manifest([*TICKED, *inputs]) == {"env": {"A": "1 "}}


def test_line_ends_of_a_browser_are_replaced():
    assert page_form.manifest([*TICKED, ("command", "a\r\nb\r\n")]) == {"command": ["a", "b"]}


def test_every_field_of_the_manifest_is_in_the_form():
    shown = {field.path for section in page_form.sections() for field in section.fields}
    known = {field.alias or name for name, field in Manifest.model_fields.items()}
    assert shown == known - {"rebuild", "dryRun"}


def test_an_inner_key_has_a_title_in_words():
    fields = {field.path: field for section in page_form.sections() for field in section.fields}
    parts = fields["smokeTest"].parts
    assert "Expect status" in [part.title for part in parts]
