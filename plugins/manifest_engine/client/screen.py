"""The output of a command: live steps for people, or one JSON object per line for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from manifest_engine.client.errors import Stopped
from manifest_engine.domain.core import printable

_WIDTH = 18
"""Length of the longest step name."""


class Screen:
    """Writes the result (the URL, or JSON) to standard output, and the rest to standard error.

    :param as_json: write the result and every event as JSON.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._live = not as_json and sys.stderr.isatty()
        self._open = ""
        """The step whose line on the terminal is still open."""

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        self._end_line()
        self._write(f"{printable.sentence(sentence)}\n")

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Show an event of the stream."""
        if self._json:
            self._print({"event": kind, **data})
        elif kind == "step":
            name, state = _text(data, "name"), _text(data, "state")
            if state != "skipped":
                self.step(name, state, data.get("seconds"))
        elif data.get("state") == "waiting for approval":
            self.say("The deployment waits for approval.")

    def step(self, name: str, state: str, seconds: Any) -> None:
        """Show a step in one line. On a terminal, the next state replaces the line."""
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
        """Show why the command ended."""
        self.say(error.detail)
        width = max((len(_text(item, "pointer")) for item in error.errors), default=0)
        for item in error.errors:
            self._write(f"  {_text(item, 'pointer'):<{width}}  {_text(item, 'detail')}\n")

    def result(self, made: dict[str, Any], text: str = "") -> None:
        """Write the result: an object with ``--json``, else a line of text."""
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
