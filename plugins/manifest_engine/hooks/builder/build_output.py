"""Parse the output of ``docker buildx build --progress plain`` line by line.

Lines are ``#7 [stage-0 4/7] RUN …`` (a step begins), ``#7 CACHED``, ``#7 1.35 text`` (output, with
the seconds since the step began) and ``#7 ERROR: …``. After a failure come
``scripts/Dockerfile:13``, an excerpt whose failing lines begin with ``>>>``, and
``ERROR: failed to solve: …``.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from manifest_engine.domain.core import linear_pattern
from manifest_engine.domain.image import base_images

TAIL_LINES = 20
"""Lines of the failing step that an error shows."""
_RECENT_LINES = 100
"""Lines of a step in which its cause is searched: pip prints up to 40 lines after the cause."""
_INSTRUCTION_MAX = 1000
_LINE = re.compile(r"^#(\d+) (.*)$")
_STEP = re.compile(r"^\[(?!internal\b)[^\]]*\d/\d+\] (.*)$")
_BASE = re.compile(
    r"^(?:\[internal\] load metadata for|resolve image config for(?: docker-image://)?) ?+(\S+)$"
)
_BASE_DIGEST = re.compile(r"^(?:(?:\[[^\]]*\] )?FROM |docker-image://)(\S+)@(sha256:[0-9a-f]{64})$")
_PINNED = re.compile(r"^\[context (\S+)\] load metadata for \S+@(sha256:[0-9a-f]{64})$")
_CONTEXT = ("[internal] load remote build context", "copy /context /")
"""Steps that receive and unpack a context from standard input."""
_DONE = re.compile(r"^DONE (\d+\.\d)s$")
_OUTPUT = re.compile(r"^\d+\.\d+ (.*)$")
_PLACE = re.compile(r"^(\S+):(\d+)$")
_IN_MOUNT = (
    r"(?:failed to walk \S*: )?lstat \S*/buildkit-mount\d+(/[^:\n]*): no such file or directory"
)
"""An error for a missing source of ``COPY``, with the path of an internal folder of BuildKit."""
_EXCERPT = re.compile(r"^ *\d+ \| >>> (.*)$")


@dataclass
class BuildOutput:
    """The facts in the output, in bounded memory."""

    place: tuple[str, int] | None = None
    """Dockerfile and number of the failing line."""
    instruction: str = ""
    """The failing instruction up to the end of its first logical line."""
    error: str = ""
    """The final error message of buildx."""
    _loaded: set[str] = field(default_factory=set)
    _digests: dict[str, str] = field(default_factory=dict)
    _pinned: dict[str, str] = field(default_factory=dict)
    _steps: dict[str, str] = field(default_factory=dict)
    _cached: set[str] = field(default_factory=set)
    _tails: dict[str, deque[str]] = field(default_factory=dict)
    _failed: str = ""
    _context: set[str] = field(default_factory=set)
    _seconds: dict[str, float] = field(default_factory=dict)
    resolving: dict[str, str] = field(default_factory=dict)
    """References of images that BuildKit is asking a registry about, by step."""

    def read_line(self, line: str) -> None:
        """Parse the next line."""
        if found := _LINE.match(line):
            self._read_step(found[1], found[2])
        elif line.startswith("ERROR: "):
            # buildx 0.2x begins with "failed to build: ".
            error = line.removeprefix("ERROR: ").removeprefix("failed to build: ")
            self.error = _without_mount(_without_command(error))
        elif line.startswith("unknown flag: "):  # the one error without the prefix "ERROR: "
            self.error = line
        elif found := _PLACE.match(line):
            self.place = (found[1], int(found[2]))
        elif found := _EXCERPT.match(line):
            self._read_instruction(found[1].strip())

    @property
    def bases(self) -> dict[str, str | None]:
        """Digests of base images by normalized reference; None for a local image, since buildx
        does not print its digest."""
        return {name: self._digests.get(name) for name in sorted(self._loaded)} | self._pinned

    @property
    def steps(self) -> int:
        """Number of Dockerfile steps so far."""
        return len(self._steps)

    @property
    def cached_steps(self) -> int:
        """Number of steps whose result came from the cache."""
        return len(self._cached)

    @property
    def context_seconds(self) -> float:
        """Time in which BuildKit received and unpacked the build context."""
        return sum(self._seconds.get(number, 0.0) for number in self._context)

    @property
    def command_seconds(self) -> float:
        """Time of the commands (``RUN``) that did not come from the cache."""
        commands = [number for number, text in self._steps.items() if text.startswith("RUN ")]
        return sum(self._seconds.get(number, 0.0) for number in commands)

    @property
    def tail(self) -> list[str]:
        """The last output lines of the failing step."""
        return self.recent[-TAIL_LINES:]

    @property
    def recent(self) -> list[str]:
        """Like :attr:`tail`, but more lines."""
        return list(self._tails.get(self._failed, ()))

    def _read_instruction(self, line: str) -> None:
        if not self.instruction:
            self.instruction = line
        elif self.instruction.endswith("\\") and len(self.instruction) < _INSTRUCTION_MAX:
            self.instruction = self.instruction[:-1] + line

    def _read_step(self, number: str, text: str) -> None:
        self._read_base(text)
        if found := _BASE.match(text):
            self.resolving[number] = found[1]
        elif text.startswith(("DONE ", "ERROR: ")) or text in ("CACHED", "CANCELED"):
            self.resolving.pop(number, None)
        if text in _CONTEXT:
            self._context.add(number)
        elif done := _DONE.match(text):
            self._seconds[number] = float(done[1])
        if found := _STEP.match(text):
            self._steps[number] = found[1]
        elif text == "CACHED" and number in self._steps:
            self._cached.add(number)
        elif text.startswith("ERROR: "):
            self._failed = number
        elif text.startswith("DONE "):
            self._tails.pop(number, None)
        elif (found := _OUTPUT.match(text)) and found[1].strip():
            self._tails.setdefault(number, deque(maxlen=_RECENT_LINES)).append(found[1])

    def _read_base(self, text: str) -> None:
        """Read the name or the digest of a base image; their lines come in any order."""
        if found := _BASE.match(text):
            self._loaded.add(found[1])
        elif found := _PINNED.match(text):
            self._pinned[base_images.normalized(found[1])] = found[2]
        elif found := _BASE_DIGEST.match(text):
            self._digests[found[1]] = found[2]


def _without_mount(error: str) -> str:
    """Replace an error with an internal path by BuildKit's usual error for a missing source."""
    return str(linear_pattern.compiled(_IN_MOUNT).sub(r'"\1": not found', error))


def _without_command(error: str) -> str:
    """Remove the command from ``process "…" did not complete successfully``, so that no pattern
    matches the text of the command."""
    before, begun, rest = error.partition('process "')
    _, ended, after = rest.rpartition('" did not complete successfully: ')
    return f"{before}process {ended[2:]}{after}" if begun and ended else error
