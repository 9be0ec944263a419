"""The service ``init``: prepares Airflow's database, Connections and the blob containers.

``init`` runs at every ``docker compose up``. It migrates the database, replaces the Connections of
the stack and of the secret ``connections``, and keeps all other Connections.
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
    sys.stdout.write(f"The database is current. {len(connections)} Connections are set.\n")
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
        # The other forms of a wasb Connection work only with addresses of Azure.
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
    """Make a Connection. ``extra`` is an object, or text as in ``airflow connections export``."""
    from airflow.models import Connection

    return Connection(conn_id=conn_id, **{**fields, "extra": fields.get("extra") or None})


def connection_string(fields: dict[str, Any]) -> str | None:
    """The storage account's connection string; None if the Connection has none."""
    extra = fields.get("extra") or {}
    return (json.loads(extra) if isinstance(extra, str) else extra).get("connection_string")


def _make_containers(text: str | None) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    if not text:
        names = " and ".join(_CONTAINERS)
        sys.stdout.write(f"{_STORAGE} has no connection_string: create the containers {names}.\n")
        return
    with BlobServiceClient.from_connection_string(text) as storage:
        for name in _CONTAINERS:
            try:
                storage.create_container(name)
            except ResourceExistsError:
                continue


if __name__ == "__main__":
    sys.exit(main())
