"""Kills parts of the sandbox for a while, and only processes that the sandbox started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil

from sandbox.airflow.airflow import Airflow
from sandbox.core import process


@contextmanager
def down(name: str) -> Iterator[None]:
    """Kill a process with SIGKILL, and start it again after the block."""
    start = _kill(name)
    try:
        yield
    finally:
        start()


@contextmanager
def changed(name: str, old: str, new: str) -> Iterator[None]:
    """Run a process with one word of its command line replaced during the block."""
    start = _kill(name)
    start({old: new})
    try:
        yield
    finally:
        _kill(name)
        start()


def _kill(name: str) -> Callable[..., None]:
    """Kill a process; returns a function that starts it, with words replaced."""
    victim = process.find(name)
    assert victim is not None, f"{name} does not run"
    words, variables, folder = victim.cmdline(), victim.environ(), victim.cwd()
    victim.kill()
    while process.find(name) is not None:
        time.sleep(0.02)

    def start(other: Mapping[str, str] = {}) -> None:
        assert other.keys() <= set(words), words
        replaced = [other.get(word, word) for word in words]
        process.start(name, replaced, env=variables, cwd=folder, inherit=False)

    return start


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
