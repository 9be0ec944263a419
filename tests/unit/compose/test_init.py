"""The formats of ``compose/secrets/connections``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.cli.commands import connection_command
from airflow.models import Connection

from compose import init

EXTRA = {"auth": "managed_identity", "verify": "/ca.crt"}


def exported(connection: Connection) -> dict[str, Any]:
    """A Connection in the form of ``airflow connections export``."""
    text = connection_command._format_connections([connection], ".json", "uri")
    return json.loads(text)[connection.conn_id]


@pytest.mark.parametrize("extra", [EXTRA, json.dumps(EXTRA)])
def test_extra_is_an_object_or_its_json_text(extra: Any):
    made = init.record("acr_default", {"conn_type": "acr", "host": "a.azurecr.io", "extra": extra})
    assert (made.conn_id, made.conn_type, made.host) == ("acr_default", "acr", "a.azurecr.io")
    assert made.extra_dejson == EXTRA


@pytest.mark.parametrize("extra", [json.dumps(EXTRA), None])
def test_an_exported_connection_is_imported_unchanged(extra: str | None):
    first = Connection("some", "aks", "words", "host", "me", "hidden", "schema", 443, extra)
    again = init.record("some", exported(first))
    assert exported(again) == exported(first)


@pytest.mark.parametrize("extra", [{}, "", None])
def test_an_empty_extra_becomes_none(extra: Any):
    assert init.record("some", {"conn_type": "http", "extra": extra}).extra is None


def test_the_connection_string_is_read_from_either_form_of_extra():
    extra = {"connection_string": "AccountName=a;AccountKey=b"}
    stored = Connection("wasb_default", "wasb", extra=json.dumps(extra))
    for fields in ({"conn_type": "wasb", "extra": extra}, exported(stored)):
        assert init.connection_string(fields) == extra["connection_string"]
    assert (
        init.connection_string({"conn_type": "wasb", "host": "a.blob.example", "extra": None})
        is None
    )
