"""Parts of the sandbox that die for a while. Only ever processes that the sandbox started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from sandbox.airflow.airflow import Airflow
from sandbox.core import process


@contextmanager
def down(name: str) -> Iterator[None]:
    """The process of that name is killed with SIGKILL, and started as it was at the end."""
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
    """A part of Airflow is killed with all that it started; Airflow is restarted at the end.

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
