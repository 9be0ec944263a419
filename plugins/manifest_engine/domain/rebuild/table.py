"""The end of a nightly run: one row per service, and a sentence."""

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
"""As a person wants to read it."""


@dataclass(frozen=True)
class Row:
    """One service in one environment."""

    service: str
    environment: str
    outcome: str = ""
    sentence: str = ""
    """Why."""
    run_id: str | None = None
    """Of ``deploy_service``."""
    digest: str | None = None
    """Of the image that is live now, where it is a new one."""

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return {key: value for key, value in asdict(self).items() if value}


def load(data: dict[str, Any]) -> Row:
    """Read a row from XCom."""
    return Row(**data)


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Failures first."""
    return sorted(rows, key=lambda row: (_ORDER.index(row.outcome), row.environment, row.service))


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many of each; all four stand in it."""
    found = Counter(row.outcome for row in rows)
    return {outcome: found[outcome] for outcome in (REBUILT, UNCHANGED, FAILED, SKIPPED)}


def text(rows: list[Row]) -> str:
    """The table as the log shows it."""
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
    """One line."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts(rows).items())


def failure(rows: Iterable[Row]) -> str | None:
    """The sentence of a run in which something failed; None if nothing did."""
    failed = [row for row in ordered(rows) if row.outcome == FAILED]
    if not failed:
        return None
    first = failed[0]
    more = f"; and {len(failed) - 1} more, see the table" if len(failed) > 1 else ""
    names = f"{first.service} in {first.environment}"
    count = f"{len(failed)} service{'s' if len(failed) > 1 else ''} could not be rebuilt"
    return f"{count}: {names}: {first.sentence}{more}"
