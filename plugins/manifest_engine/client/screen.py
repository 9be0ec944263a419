"""What a command prints: live steps for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from manifest_engine.client.errors import Stopped
from manifest_engine.domain.core import printable

_WIDTH = 18
"""Characters of the longest name of a step."""


class Screen:
    """Standard output has the result: the URL or, with ``--json``, every event. Standard error has
    the steps and the sentences for people.

    :param as_json: print JSON.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._live = not as_json and sys.stderr.isatty()
        self._open = ""
        """The name of the step whose line is not ended, on a terminal."""

    def say(self, sentence: str) -> None:
        """A sentence for people."""
        self._end_line()
        self._write(f"{printable.sentence(sentence)}\n")

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """An event of the stream. On a terminal, the line of a running step is replaced by its
        result."""
        if self._json:
            self._print({"event": kind, **data})
        elif kind == "step":
            name, state = _text(data, "name"), _text(data, "state")
            if state != "skipped":
                self.step(name, state, data.get("seconds"))
        elif data.get("state") == "waiting for approval":
            self.say("The deployment waits for an approval.")

    def step(self, name: str, state: str, seconds: Any) -> None:
        """One line for a step."""
        ended = state in ("succeeded", "failed") and seconds is not None
        line = f"{name:<{_WIDTH}} {state}{f' in {seconds} s' if ended else ''}"
        if not self._live:
            self._write(f"{line}\n")
            return
        if self._open != name:
            self._end_line()
        self._write(f"\r\x1b[K{line}" if self._open == name else line)
        self._open = name
        if state in ("succeeded", "failed"):
            self._end_line()

    def stopped(self, error: Stopped) -> None:
        """Why the command ended."""
        self.say(error.detail)
        width = max((len(_text(item, "pointer")) for item in error.errors), default=0)
        for item in error.errors:
            self._write(f"  {_text(item, 'pointer'):<{width}}  {_text(item, 'detail')}\n")

    def result(self, made: dict[str, Any], text: str = "") -> None:
        """The last object, or the last line for a program that reads standard output."""
        self._end_line()
        if self._json:
            self._print({"event": "result", **made})
        elif text:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def _end_line(self) -> None:
        if self._open:
            self._open = ""
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def _print(self, made: dict[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps(made)}\n")
        sys.stdout.flush()


def _text(data: dict[str, Any], key: str) -> str:
    return printable.line(str(data.get(key) or ""))
