"""Starts parts in parallel in the order of their needs, and stops parts in reverse order."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from sandbox.core.console import say
from sandbox.core.part import Part, SandboxError

_SPEAK_EVERY_SECONDS = 15.0


def up(parts: list[Part]) -> None:
    """Start each part once its needs are ready. Raises the first SandboxError."""
    by_name = {part.name: part for part in parts}
    order = TopologicalSorter({part.name: part.needs for part in parts})
    order.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        while order.is_active():
            for name in order.get_ready():
                running[pool.submit(_start, by_name[name])] = name
            done, _ = wait(running, timeout=_SPEAK_EVERY_SECONDS, return_when=FIRST_COMPLETED)
            if not done:
                say("sandbox", "still starting " + ", ".join(sorted(running.values())))
            for future in done:
                name = running.pop(future)
                if problem := future.exception():
                    say(name, f"FAILED: {problem}")
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise problem
                order.done(name)


def _start(part: Part) -> None:
    threading.current_thread().name = part.name
    if part.ready() is None:
        say(part.name, f"already up {part.where()}".rstrip())
        return
    begin = time.monotonic()
    part.start()
    say(part.name, f"ready in {time.monotonic() - begin:.1f} s {part.where()}".rstrip())


def down(parts: list[Part]) -> None:
    """Stop every part, dependent parts first. Raises SandboxError with all problems at the end."""
    by_name = {part.name: part for part in parts}
    graph = TopologicalSorter({part.name: part.needs for part in parts})
    problems: list[str] = []
    for name in reversed([name for name in graph.static_order() if name in by_name]):
        say(name, "stopping")
        try:
            by_name[name].stop()
        except Exception as error:  # stop the other parts all the same
            problems.append(f"{name}: {error}")
    if problems:
        raise SandboxError("some parts did not stop: " + "; ".join(problems))


def exports(parts: list[Part]) -> dict[str, str]:
    """The variables of all parts for a shell, with their PATHs joined."""
    found: dict[str, str] = {}
    folders: dict[str, None] = {}  # an ordered set
    for part in parts:
        variables = part.exports()
        folders |= dict.fromkeys(variables.pop("PATH", "").split(os.pathsep))
        found |= variables
    folders.pop("", None)
    own = os.environ["PATH"].split(os.pathsep)
    first = [folder for folder in folders if folder not in own]
    return found | {"PATH": os.pathsep.join([*first, *own])}
