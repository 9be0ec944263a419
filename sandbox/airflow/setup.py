"""Creates Airflow's database and its Connections from a JSON file.

One process takes 3 s; ``airflow db migrate`` and ``airflow connections import`` take 15 s.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def main(connections: Path) -> None:
    from airflow.models import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        if session.get_bind().dialect.name == "sqlite":
            _never_reuse_trigger_ids(session)
        for conn_id, fields in json.loads(connections.read_text()).items():
            extra = fields.pop("extra", None)
            session.add(
                Connection(conn_id=conn_id, extra=json.dumps(extra) if extra else None, **fields)
            )


def _never_reuse_trigger_ids(session: Session) -> None:
    """Make the ids of triggers unique.

    SQLite reuses ids once the table is empty. If the triggerer (3.3.2) still holds the old trigger
    with the same id, it ignores the new trigger and the task waits forever.
    """
    known = "SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' ORDER BY type DESC"
    table, *indexes = session.scalars(text(known)).all()
    counting = table.replace("id INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1)
    counting = counting.replace("CONSTRAINT trigger_pkey PRIMARY KEY (id),", "")
    for statement in ('DROP TABLE "trigger"', counting, *indexes):
        session.execute(text(statement))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
