"""Run one program that reads a stream and tells its progress line by line.

Whatever ends the caller ends the program: a cancelled task (:meth:`Child.cancel`), a deadline, an
exception in the stream, and the death of the process itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import IO

from manifest_engine.domain.core import printable
from manifest_engine.hooks.core import bounded

_GRACE_SECONDS = 5.0
"""Between SIGTERM, on which the program tells its server to stop, and SIGKILL."""
_BLOCK = 64 << 10
_PR_SET_PDEATHSIG = 1
"""prctl(2), Linux."""
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class DeadlineExceeded(Exception):
    """The program had not ended in time."""


class ChildCancelled(Exception):
    """:meth:`Child.cancel` was called."""


class Child:
    """One run of a program."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._late = False
        self._feed_error: BaseException | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stream: Iterable[bytes],
        on_line: Callable[[str], None],
        deadline_seconds: float,
    ) -> int:
        """Feed ``stream`` to the program's input, hand on each line of its output, and wait.

        The lines are printable and have at most ``printable.LINE_MAX`` characters.

        Call it in a thread that outlives the program: the kernel kills the program with the thread
        that started it.

        :return: the exit status.
        :raises DeadlineExceeded: after ``deadline_seconds``.
        :raises ChildCancelled: after :meth:`cancel`.
        """
        if self._cancelled:
            raise ChildCancelled
        process = self._process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - calls prctl alone
        )
        assert process.stdin is not None  # noqa: S101 - piped, as stdout is
        assert process.stdout is not None  # noqa: S101
        feeder = threading.Thread(target=self._feed, args=(process.stdin, stream), daemon=True)
        watchdog = threading.Timer(deadline_seconds, self._give_up)
        watchdog.daemon = True
        try:
            watchdog.start()
            feeder.start()
            read = partial(os.read, process.stdout.fileno(), _BLOCK)
            for line in bounded.lines(iter(read, b"")):
                on_line(printable.line(line))
            status = process.wait()
        finally:
            watchdog.cancel()
            self._end(process)
            feeder.join(_GRACE_SECONDS)
            process.stdout.close()
        if self._cancelled:
            raise ChildCancelled
        if self._feed_error:
            raise self._feed_error
        if self._late:
            raise DeadlineExceeded
        return status

    def cancel(self) -> None:
        """End the program; may be called from a signal handler, at any time."""
        self._cancelled = True
        if self._process:
            self._process.terminate()
            insist = threading.Timer(_GRACE_SECONDS, self._process.kill)
            insist.daemon = True
            insist.start()

    def _give_up(self) -> None:
        self._late = True
        if self._process:
            self._end(self._process)

    def _feed(self, pipe: IO[bytes], stream: Iterable[bytes]) -> None:
        try:
            for chunk in stream:
                pipe.write(chunk)
        except BrokenPipeError:
            pass  # the program ended first, and says why
        except BaseException as error:
            # Before the pipe closes: the program must not take half a stream for the whole.
            self._feed_error = error
            if self._process:
                self._process.kill()
        finally:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """In the new process: be killed when the task's process is, even by SIGKILL."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
