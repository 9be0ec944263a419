"""After deployments, Airflow's database and all its logs hold no credential in clear."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import process

_LOGINS = {
    "REGISTRY": ("REGISTRY_USER", "REGISTRY_PASSWORD"),
    "INDEX": ("INDEX_USER", "INDEX_PASSWORD"),
}
_TOKENS = ("ARTIFACTORY_TOKEN", "ARTIFACTORY_READER_TOKEN", "ENTRA_CLIENT_SECRET")


@pytest.fixture
def credentials(environment: dict[str, str]) -> dict[str, bytes]:
    """What must not be found, also as it stands in a header for HTTP's basic authentication."""
    found = {name: environment[name].encode() for name in _TOKENS if name in environment}
    for name, (user, password) in _LOGINS.items():
        login = f"{environment[user]}:{environment[password]}".encode()
        found[password] = environment[password].encode()
        found[f"{name} login in base64"] = base64.b64encode(login)
    assert all(len(secret) >= 12 for secret in found.values()), "too short to be found by accident"
    return found


def rows(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table, by the table's name."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            cells = (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
            yield table, b"\0".join(cells)
    connection.close()


def test_no_credential_stands_in_a_table_or_a_log(service, environment, credentials):
    quotes = service()
    first = quotes.deploy(to_end=True)
    assert first.ok, first.error
    failed = quotes.deploy(version="1.1.0", utilsVersion="9.9.9")
    assert failed.failed_step == "build_image", "pip's own words on the private index are logged"

    home = Path(environment["AIRFLOW_HOME"])
    name = quotes.manifest["serviceName"].encode()
    leaks, seen = set(), set()
    for table, row in rows(home / "airflow.db"):
        leaks |= {
            f"{what} in table {table}" for what, secret in credentials.items() if secret in row
        }
        if name in row:
            seen.add(table)
    assert {"dag_run", "xcom", "rendered_task_instance_fields", "asset_event"} <= seen

    logs = [path for path in (home / "logs").rglob("*") if path.is_file()]
    raw = [*home.glob("airflow.db*"), process.log_file("airflow")]
    for path in (*logs, *raw):
        content = path.read_bytes()
        leaks |= {
            f"{what} in {path.name}" for what, secret in credentials.items() if secret in content
        }
        if b"internal-utils" in content and name in content:
            seen.add("task log")
    assert "task log" in seen
    assert leaks == set()
