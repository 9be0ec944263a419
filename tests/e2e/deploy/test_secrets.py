"""After deployments, Airflow's database and logs contain no credential in clear text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from sandbox.core import process
from sandbox.core.settings import SETTINGS
from tests.e2e.metadata import metadata

_LOGINS = {
    "REGISTRY": ("REGISTRY_USER", "REGISTRY_PASSWORD"),
    "INDEX": ("INDEX_USER", "INDEX_PASSWORD"),
}
_TOKENS = ("ARTIFACTORY_TOKEN", "ARTIFACTORY_READER_TOKEN", "ENTRA_CLIENT_SECRET")


@pytest.fixture
def credentials(environment: dict[str, str]) -> dict[str, bytes]:
    """All credentials, also in the form of an HTTP basic authentication header."""
    found = {name: environment[name].encode() for name in _TOKENS if name in environment}
    for name, (user, password) in _LOGINS.items():
        login = f"{environment[user]}:{environment[password]}".encode()
        found[password] = environment[password].encode()
        found[f"{name} login in base64"] = base64.b64encode(login)
    assert all(len(secret) >= 12 for secret in found.values()), "too short to be found by accident"
    return found


def rows() -> Iterator[tuple[str, bytes]]:
    """Every row of every table, by the table's name."""
    with metadata() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                yield table, b"\0".join(map(_bytes, row))


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


def test_no_table_and_no_log_contains_a_credential(service, environment, credentials):
    quotes = service()
    first = quotes.deploy(to_end=True)
    assert first.ok, first.error
    failed = quotes.deploy(version="1.1.0", utilsVersion="9.9.9")
    assert failed.failed_step == "build_image", "pip's own words on the private index are logged"

    home = Path(environment["AIRFLOW_HOME"])
    name = quotes.manifest["serviceName"].encode()
    leaks, seen = set(), set()
    for table, row in rows():
        leaks |= {
            f"{what} in table {table}" for what, secret in credentials.items() if secret in row
        }
        if name in row:
            seen.add(table)
    assert {"dag_run", "xcom", "rendered_task_instance_fields", "asset_event"} <= seen

    logs = [path for path in (home / "logs").rglob("*") if path.is_file()]
    raw = [process.log_file("airflow"), process.log_file("database")]
    raw += [path for path in (SETTINGS.state / "database").rglob("*") if path.is_file()]
    for path in (*logs, *raw):
        content = path.read_bytes()
        leaks |= {
            f"{what} in {path.name}" for what, secret in credentials.items() if secret in content
        }
        if b"internal-utils" in content and name in content:
            seen.add("task log")
    assert "task log" in seen
    assert leaks == set()
