"""Kills the process of each task of a run once, with SIGKILL."""

from __future__ import annotations

import threading
import time

import psutil
from sqlalchemy import Connection, text

from sandbox.core import process
from tests.e2e.metadata import metadata

_POLL_SECONDS = 0.02
_RUNNING = text(
    "SELECT task_id, pid FROM task_instance "
    "WHERE run_id = :run AND state = 'running' AND pid IS NOT NULL AND try_number = 1"
)


class Killer(threading.Thread):
    """Watches a run in Airflow's database, and kills the first try of each of its tasks.

    :param delays: seconds between start and kill by task; default 0.
    """

    def __init__(self, run_id: str, delays: dict[str, float]) -> None:
        super().__init__(daemon=True)
        self.run_id = run_id
        self.delays = delays
        self.killed: list[str] = []
        self._over = threading.Event()
        airflow = process.find("airflow")
        assert airflow is not None
        self._airflow = airflow.pid

    def run(self) -> None:
        begun: dict[str, float] = {}
        with metadata() as database:
            while not self._over.wait(_POLL_SECONDS):
                for task, pid in self._running(database):
                    started = begun.setdefault(task, time.monotonic())
                    due = time.monotonic() - started >= self.delays.get(task, 0.0)
                    if due and task not in self.killed and self._kill(pid):
                        self.killed.append(task)

    def stop(self) -> list[str]:
        """End the watch; returns the killed tasks in order."""
        self._over.set()
        self.join(timeout=10)
        return self.killed

    def _running(self, database: Connection) -> list[tuple[str, int]]:
        found = database.execute(_RUNNING, {"run": self.run_id})
        return [(task, pid) for task, pid in found]

    def _kill(self, pid: int) -> bool:
        """Kill a process if it descends from the sandbox's Airflow."""
        try:
            victim = psutil.Process(pid)
            if self._airflow not in {parent.pid for parent in victim.parents()}:
                return False
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        return True
