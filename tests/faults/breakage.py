"""Kills parts of the sandbox for a while, and only processes that the sandbox started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from sandbox.airflow.airflow import Airflow
from sandbox.core import process


@contextmanager
def down(name: str) -> Iterator[None]:
    """Kill a process with SIGKILL, and start it again after the block."""
    victim = process.find(name)
    assert victim is not None, f"{name} does not run"
    words, variables, folder = victim.cmdline(), victim.environ(), victim.cwd()
    victim.kill()
    while process.find(name) is not None:
        time.sleep(0.02)
    try:
        yield
    finally:
        process.start(name, words, env=variables, cwd=folder, inherit=False)


@contextmanager
def airflow_without(part: str) -> Iterator[None]:
    """Kill a part of Airflow with its child processes, and restart Airflow after the block.

    :param part: the subcommand, such as ``scheduler`` or ``triggerer``.
    """
    airflow = process.find("airflow")
    assert airflow is not None
    family = next(
        [child, *child.children(recursive=True)]
        for child in airflow.children()
        if child.cmdline()[-1:] == [part]
    )
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    try:
        yield
    finally:
        Airflow().restart()
