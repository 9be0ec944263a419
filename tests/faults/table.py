"""The table of the fault suite: expected and seen results, and public requests."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = """# Results of the fault suite

Each case breaks something during a deployment in the sandbox: a real Airflow, cluster, gateway and
registry on one machine with two cores and other load. `make faults` runs all cases and writes this
table. `pytest tests/faults/release/test_raced.py --table docs/faults.md` writes only the lines of
its cases, so lines can come from different runs. *Expected* is part of the test. During a case, a
separate process calls the service's public URL; *requests* and *failed* are its counts.

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
        """Record the counts of the load generator, and check that no request failed."""
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
        """A case, which holds if the block ends without an error. The block sets ``seen``."""
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
        """Write the file. Lines of cases that did not run are kept."""
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
