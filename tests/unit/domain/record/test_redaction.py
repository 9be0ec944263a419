"""No secret is recorded."""

from __future__ import annotations

import pytest
from manifest_engine.domain.record import redaction


def test_no_secret_of_a_rejected_manifest_is_recorded():
    asked = {
        "secretEnv": {"DB": "quote-db/password", "API": "hunter2!"},
        "env": {"DB_PASSWORD": "hunter2", "URL": "https://me:hunter2@host/x", "LEVEL": "debug"},
        "paswords": {"a": "hunter2"},
        "notes": "see https://me:hunter2@host",
        "owner": None,
    }
    made = redaction.redacted(asked)
    assert "hunter2" not in str(made)
    assert made["secretEnv"] == {"DB": "quote-db/password", "API": "***"}
    assert made["env"] == {"DB_PASSWORD": "***", "URL": "https://***@host/x", "LEVEL": "debug"}
    assert (made["paswords"], "owner" in made) == ("***", False)


@pytest.mark.parametrize(
    "value",
    [
        "postgres://me:hunt@er2@host/db",
        "postgres://me:hunt/er2@host/db",
        "DefaultEndpointsProtocol=https;AccountKey=hunter2==;BlobEndpoint=https://x",
        "https://host/x?sig=hunter2&se=1",
        "https://host/?next=password=hunter2",
        "https,x://host//me:hunter2@host/x",
    ],
)
def test_a_secret_is_found_in_connection_strings_and_deep_inside(value):
    made = redaction.redacted({"env": {"STORE": value}, "smokeTest": {"path": value}})
    assert "er2" not in str(made)
    assert "host" in str(made) or "https" in str(made)


def test_a_rebuild_block_with_unknown_keys_is_hidden():
    assert redaction.redacted({"rebuild": {"password": "x"}}) == {"rebuild": "***"}


def test_a_line_of_a_log_is_shown_without_its_secrets():
    line = "connects to postgres://me:hunter2@host/db?password=hunter2"
    assert redaction.hide_secrets(line) == "connects to postgres://***@host/db?password=***"
