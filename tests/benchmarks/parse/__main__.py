"""``python -m tests.benchmarks.parse [--rounds N]``: cost of our DAG files for the DAG
processor.

Like the DAG processor, it parses each file in a fork of a process that has imported Airflow. The
cost is the difference from an empty DAG. Time is CPU time, memory is the private set. Prints a
table of medians and writes ``.bench/parse.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from sandbox.core.settings import REPOSITORY

MOST_SECONDS, MOST_MIB = 0.3, 30.0
"""Allowed cost of a DAG file in addition to an empty DAG file."""
_EMPTY = 'from airflow.sdk import DAG\n\nwith DAG("empty", schedule=None):\n    pass\n'


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.parse", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-parse-") as home:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        import airflow.dag_processing.dagbag
        import airflow.dag_processing.processor
        import airflow.sdk  # noqa: F401

        sys.path.append(str(REPOSITORY / "plugins"))  # Airflow does the same for its tasks
        empty = Path(home) / "empty.py"
        empty.write_text(_EMPTY)
        files = [empty, *sorted((REPOSITORY / "dags").glob("*.py"))]
        taken = {file.stem: [_parse(file) for _ in range(asked.rounds)] for file in files}
    sys.exit(_tell(taken))


def _parse(file: Path) -> tuple[float, float]:
    """CPU seconds and MiB of one parse in a forked process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_child, args=(file, there))
    child.start()
    there.close()
    try:
        seconds, mib = here.recv()
    except EOFError:
        sys.exit(f"{file} cannot be parsed")
    finally:
        child.join()
    return seconds, mib


def _child(file: Path, answer: Any) -> None:
    from airflow.dag_processing.dagbag import DagBag

    before = _used()
    bag = DagBag(str(file), collect_dags=True)
    after = _used()
    if bag.import_errors or not bag.dags:
        raise SystemExit(f"{file}: {bag.import_errors}")
    answer.send((after[0] - before[0], after[1] - before[1]))


def _used() -> tuple[float, float]:
    own = resource.getrusage(resource.RUSAGE_SELF)
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    return own.ru_utime + own.ru_stime, private / 1024


def _tell(taken: dict[str, list[tuple[float, float]]]) -> int:
    """Print the table. Exit status 1 if a file costs more than allowed."""
    medians = {name: tuple(map(statistics.median, zip(*runs, strict=True)))
               for name, runs in taken.items()}  # fmt: skip
    zero = medians.pop("empty")
    cases = {
        name: {
            "seconds": round(seconds, 3),
            "on_top_s": round(seconds - zero[0], 3),
            "on_top_mib": round(mib - zero[1], 1),
        }
        for name, (seconds, mib) in medians.items()
    }
    target = REPOSITORY / ".bench/parse.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"empty_s": round(zero[0], 3), "cases": cases}, indent=2) + "\n")
    print("| DAG file | CPU s | on top of an empty DAG, s | MiB |\n|---|---|---|---|")
    for name, case in cases.items():
        print(f"| `{name}` | {case['seconds']} | {case['on_top_s']} | {case['on_top_mib']} |")
    return any(c["on_top_s"] > MOST_SECONDS or c["on_top_mib"] > MOST_MIB for c in cases.values())


if __name__ == "__main__":
    main()
