"""The service ``init``: Airflow's database, its Connections and the containers in blob storage.

It runs at every ``docker compose up``: the database is brought to this Airflow's version, and a
Connection that a file names is made anew; all others stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models import Connection

_SECRETS = Path("/run/secrets")
_BUILDERS = ("builder_1", "builder_2")
_STORAGE = "wasb_default"
_CONTAINERS = ("artifacts", "airflow-logs")


def main() -> int:
    from airflow.utils.db import initdb

    initdb()
    connections = _own() | json.loads((_SECRETS / "connections").read_text())
    _put(connections)
    _make_containers(connection_string(connections[_STORAGE]))
    sys.stdout.write(f"The database is current, {len(connections)} Connections are there.\n")
    return 0


def _own() -> dict[str, Any]:
    """The Connections to the stack's own services."""
    tls = {
        "tls_ca_cert": str(_SECRETS / "builder_ca"),
        "tls_client_cert": str(_SECRETS / "builder_client_cert"),
        "tls_client_key": str(_SECRETS / "builder_client_key"),
    }
    builders = {
        conn_id: {
            "conn_type": "docker",
            "host": f"tcp://{conn_id.replace('_', '-')}:2376",
            "extra": tls,
        }
        for conn_id in _BUILDERS
    }
    text = (_SECRETS / "storage").read_text().strip()
    return {
        **builders,
        # Its other forms want an address of Azure's own.
        _STORAGE: {"conn_type": "wasb", "extra": {"connection_string": text}},
    }


def _put(connections: dict[str, Any]) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id.in_(connections)))
        session.add_all(record(conn_id, fields) for conn_id, fields in connections.items())


def record(conn_id: str, fields: dict[str, Any]) -> Connection:
    """A Connection; its extra is an object, or text as ``airflow connections export`` has it."""
    from airflow.models import Connection

    return Connection(conn_id=conn_id, **{**fields, "extra": fields.get("extra") or None})


def connection_string(fields: dict[str, Any]) -> str | None:
    """Of a storage account; None of a Connection that names it in another way."""
    extra = fields.get("extra") or {}
    return (json.loads(extra) if isinstance(extra, str) else extra).get("connection_string")


def _make_containers(text: str | None) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    if not text:
        told = f"{_STORAGE} has no connection_string: {' and '.join(_CONTAINERS)} must be there.\n"
        sys.stdout.write(told)
        return
    with BlobServiceClient.from_connection_string(text) as storage:
        for name in _CONTAINERS:
            try:
                storage.create_container(name)
            except ResourceExistsError:
                continue


if __name__ == "__main__":
    sys.exit(main())
