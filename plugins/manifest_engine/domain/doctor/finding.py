"""The result of a check of the installation, and the table of all results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError

OK = "ok"
MISSING = "missing"
NOTE = "note"
"""Cannot be checked from here, or is missing but not required."""
_TEXT_MAX = 1_000


class NotNeeded(ManifestEngineError):
    """Cannot be checked from here, or is missing but not required."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    part: str
    """What is checked, such as ``registry acr_default``."""
    check: str
    state: str
    text: str
    """What was found; for a missing thing with the remedy."""

    def __str__(self) -> str:
        return f"{self.part}, {self.check}: {self.text}"


def finding(part: str, check: str, state: str, text: object) -> Finding:
    """A finding whose text is printable and bounded."""
    return Finding(part, check, state, printable.excerpt(str(text), _TEXT_MAX))


def table(findings: Sequence[Finding]) -> str:
    """The table for a terminal or a log: one line per finding, and the counts."""
    part = max((len(item.part) for item in findings), default=0)
    check = max((len(item.check) for item in findings), default=0)
    lines = [
        f"{item.state:<{len(MISSING)}}  {item.part:<{part}}  {item.check:<{check}}  {item.text}"
        for item in findings
    ]
    counted = ", ".join(f"{number} {state}" for state, number in counts(findings).items())
    return "\n".join([*lines, counted])


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """The number of findings by state, with an entry for each of the three states."""
    found = Counter(item.state for item in findings)
    return {state: found[state] for state in (OK, MISSING, NOTE)}


def report(environment: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as JSON-compatible data."""
    return {
        "environment": environment,
        "ok": failure(environment, findings) is None,
        "counts": counts(findings),
        "findings": [asdict(item) for item in findings],
    }


def failure(environment: str, findings: Iterable[Finding]) -> str | None:
    """The sentence on what is missing; None when nothing is missing."""
    missing = [item for item in findings if item.state == MISSING]
    if not missing:
        return None
    more = f" And {len(missing) - 1} more, see the table." if len(missing) > 1 else ""
    return f"The environment {environment!r} cannot be deployed to: {missing[0]}{more}"
