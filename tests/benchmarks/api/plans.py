"""Reads PostgreSQL's plans of the API's queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

_NODE = re.compile(r"(?:Index Only Scan|Index Scan|Bitmap Index Scan|Seq Scan)[^(]*")


def of(engine: Engine, calls: dict[str, Callable[[], Any]]) -> list[dict[str, Any]]:
    """For each query of each call: the scans of its plan, its rows and its milliseconds."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((statement, parameters))

    found = []
    for name, call in calls.items():
        seen.clear()
        event.listen(engine, "before_cursor_execute", note)
        call()
        event.remove(engine, "before_cursor_execute", note)
        for statement, parameters in list(seen):
            if not statement.lstrip().upper().startswith("SELECT"):
                continue
            with engine.connect() as connection:
                rows = connection.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters).all()
            plan = [row[0] for row in rows]
            scans = {" ".join(scan.split()) for scan in _NODE.findall("\n".join(plan))}
            found.append(
                {
                    "call": name,
                    "scans": sorted(scans),
                    "milliseconds": float(plan[-1].split()[-2]),
                    "plan": plan,
                    "query": statement,
                }
            )
    return found
