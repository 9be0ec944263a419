"""Whether the build cache in the registry covers the slow steps of a build.

Commands (``RUN``) are slow; copied files are not. When the cached image ran the same commands on
the same files, a new cache would not make the next build on an empty engine faster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMAND = re.compile(r"^(RUN|/bin/sh -c (?!#\(nop\)))")
"""A command in an image's history, as BuildKit or as the classic builder writes it."""
_SHORT_SECONDS = 2.0
"""A context that is sent within this time costs little."""
_FACTOR = 2.0
"""The cache must save more than its cost, because a later build on an empty engine may not come."""


@dataclass(frozen=True)
class Step:
    """One entry of an image's history (OCI image specification, "history")."""

    created_by: str
    makes_layer: bool = True


@dataclass(frozen=True)
class Layers:
    """An image's history, oldest first, and the digests of its unpacked layers."""

    history: tuple[Step, ...]
    diff_ids: tuple[str, ...]


def is_worthwhile(*, context_seconds: float, command_seconds: float) -> bool:
    """Whether writing a cache is likely to save more time than it takes.

    The cache is written by a second build, which sends the whole context again.

    :param context_seconds: time in which the first build received the context.
    :param command_seconds: time of the first build's commands, which a cache saves on an empty
        engine.
    """
    return context_seconds <= _SHORT_SECONDS or command_seconds >= _FACTOR * context_seconds


def covers(cached: Layers, built: Layers) -> bool:
    """Whether ``cached`` has the result of every command of ``built``.

    :param built: ``makes_layer`` of its steps is ignored, since engines do not report the value.
    """
    commands = [n for n, step in enumerate(built.history) if _COMMAND.match(step.created_by)]
    if not commands:
        return True
    end = commands[-1] + 1
    same_steps = [step.created_by for step in built.history[:end]] == [
        step.created_by for step in cached.history[:end]
    ]
    layers = sum(step.makes_layer for step in cached.history[:end])
    return same_steps and built.diff_ids[:layers] == cached.diff_ids[:layers]
