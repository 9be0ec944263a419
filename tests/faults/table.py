"""The table that the fault suite leaves: what was to come, what came, and what the public saw."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = """# What was broken on purpose, and what became of it

Written by the fault suite on the sandbox: a real Airflow, cluster, gateway and registry on one
machine of two cores, which other work shared. `make faults` runs all of it; a part of it, such as
`pytest tests/faults/release/test_raced.py --table docs/faults.md`, writes its own lines anew, so
lines can be of different runs. *Expected* stands in the test before it runs. While a case runs, a
process of its own calls the service's public URL; *requests* and *failed* are its counts.

"""
_LONGEST = 320
_COLUMNS = ("case", "expected", "seen", "requests", "failed", "holds")


@dataclass
class Case:
    """One line of the table."""

    name: str
    expected: str
    seen: str = "it did not end"
    sent: int | None = None
    failed: int | None = None
    holds: bool = False

    def load(self, found: dict[str, Any]) -> None:
        """Note what the load generator counted, and insist that nothing failed."""
        self.sent, self.failed = found["sent"], found["failed"]
        assert found["sent"] > 0
        assert found["failed"] == 0, found["first"]

    def cells(self) -> list[str]:
        counts = ["" if count is None else str(count) for count in (self.sent, self.failed)]
        seen = textwrap.shorten(self.seen, _LONGEST, placeholder=" …")
        texts = [self.name, self.expected, seen, *counts, "yes" if self.holds else "**no**"]
        return [" ".join(text.replace("|", "\\|").split()) for text in texts]


class Table:
    """All cases of a run."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    @contextmanager
    def case(self, name: str, expected: str) -> Iterator[Case]:
        """A case: it holds if the block ends without an error; set ``seen`` in it."""
        case = Case(name, expected)
        self.cases.append(case)
        try:
            yield case
        except BaseException as error:
            first = (str(error) or type(error).__name__).splitlines()[0][:300]
            case.seen = f"{case.seen}; {first}"
            raise
        case.holds = True

    def markdown(self) -> str:
        return _markdown([_line(case.cells()) for case in self.cases])

    def write(self, file: Path) -> None:
        """Write the file; lines of cases that did not run this time are kept as they are."""
        lines = _lines(file.read_text()) if file.exists() else {}
        lines |= {case.cells()[0]: _line(case.cells()) for case in self.cases}
        file.write_text(_HEAD + _markdown(list(lines.values())))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(lines: list[str]) -> str:
    head = [_line(list(_COLUMNS)), _line(["---"] * len(_COLUMNS))]
    return "\n".join([*head, *lines]) + "\n"


def _lines(text: str) -> dict[str, str]:
    """The lines of an earlier table by their case."""
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in rows}
