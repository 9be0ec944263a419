"""Whether the build cache in the registry has all that was slow in a build.

Commands (``RUN``) are slow, files copied are not. A cache whose image went through the same
commands on the same files serves the next build on an empty engine as well as a new one would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMAND = re.compile(r"^(RUN|/bin/sh -c (?!#\(nop\)))")
"""How a command stands in an image's history: BuildKit's form, and the classic builder's."""


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


def serves(cached: Layers, built: Layers) -> bool:
    """Whether ``cached`` holds the result of every command of ``built``.

    :param built: its history need not tell which steps make a layer, since engines do not.
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
