"""The result of a nightly run: one row per service, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

REBUILT = "rebuilt"
UNCHANGED = "unchanged"
FAILED = "failed"
SKIPPED = "skipped"
_ORDER = (FAILED, REBUILT, SKIPPED, UNCHANGED)
"""The order of rows in the table."""


@dataclass(frozen=True)
class Row:
    """The outcome for one service in one environment."""

    service: str
    environment: str
    outcome: str = ""
    sentence: str = ""
    """The reason for the outcome."""
    run_id: str | None = None
    """Run of ``deploy_service``."""
    digest: str | None = None
    """Digest of the new image, if the rebuild went live."""

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return {key: value for key, value in asdict(self).items() if value}


def load(data: dict[str, Any]) -> Row:
    """Read a row from XCom."""
    return Row(**data)


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Sort rows for the table, failures first."""
    return sorted(rows, key=lambda row: (_ORDER.index(row.outcome), row.environment, row.service))


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """The number of services by outcome, with an entry for each of the four outcomes."""
    found = Counter(row.outcome for row in rows)
    return {outcome: found[outcome] for outcome in (REBUILT, UNCHANGED, FAILED, SKIPPED)}


def text(rows: list[Row]) -> str:
    """The table for the log."""
    if not rows:
        return "No service is deployed there."
    width = max(len(row.service) for row in rows)
    where = max(len(row.environment) for row in rows)
    lines = [
        f"{row.outcome:<9}  {row.environment:<{where}}  {row.service:<{width}}  "
        f"{' '.join(row.sentence.split())}".rstrip()
        for row in ordered(rows)
    ]
    return "\n".join([*lines, summary(rows)])


def summary(rows: Iterable[Row]) -> str:
    """The numbers by outcome, in one line."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts(rows).items())


def failure(rows: Iterable[Row]) -> str | None:
    """The error sentence of a run in which a rebuild failed; None if none failed."""
    failed = [row for row in ordered(rows) if row.outcome == FAILED]
    if not failed:
        return None
    first = failed[0]
    more = f"; and {len(failed) - 1} more, see the table" if len(failed) > 1 else ""
    names = f"{first.service} in {first.environment}"
    count = f"{len(failed)} service{'s' if len(failed) > 1 else ''} could not be rebuilt"
    return f"{count}: {names}: {first.sentence}{more}"
