"""Run one build: buildx as a child process, with its files in a private temporary folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from manifest_engine.domain.build.build_hints import BuildHints
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder import build_failure, buildx
from manifest_engine.hooks.builder.build_output import BuildOutput
from manifest_engine.hooks.core import bounded
from manifest_engine.hooks.engine.client import write_private

_GRACE_SECONDS = 5.0
"""Between SIGTERM, on which buildx cancels the build on the engine, and SIGKILL."""
_BLOCK = 64 << 10
_RESOLVE_SECONDS = 18.0
"""For the manifest of a base image, usually one second. BuildKit itself waits a minute and more for
a registry that does not answer."""
_PR_SET_PDEATHSIG = 1
"""prctl(2), Linux."""
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class BuildCancelled(BuildError):
    """:meth:`BuildxRun.cancel` was called."""


@dataclass(frozen=True)
class BuildInput:
    """The input of a build, beside the flags of :class:`buildx.Build`."""

    context: Iterable[bytes]
    """The build context, a tar in chunks."""
    logins: Mapping[str, buildx.Login] = field(repr=False)
    """By registry; for the base image and the cache."""
    deadline_seconds: float
    dockerfile: str
    """Name of the Dockerfile in errors."""
    on_line: Callable[[str], None]
    """Receives each line of output as soon as buildx prints it."""
    hints: BuildHints | None = None
    """What the artifact says about a failed build."""
    frontend: str = ""
    """The image of the line ``# syntax=``; empty for BuildKit's own frontend."""


class BuildxRun:
    """
    :param builder: name of the builder in errors.
    :param engine: ``DOCKER_HOST`` and, with TLS, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``.
    """

    def __init__(self, builder: str, engine: Mapping[str, str]) -> None:
        self.output = BuildOutput()
        self._builder = builder
        self._engine = engine
        self._child = Child()

    def cancel(self) -> None:
        """Cancel the build, also on the engine; safe to call from a signal handler."""
        self._child.cancel()

    def image_id(self, build: buildx.Build, given: BuildInput) -> str:
        """Build the image as ``build.tag`` in the engine, and return its id there.

        :raises BuildCancelled: after :meth:`cancel`.
        :raises BuildError: with the failing line and the last lines of its output.
        """

        watch = _RegistryWatch(self.output, self._child.give_up)

        def read_line(line: str) -> None:
            self.output.read_line(line)
            watch.update()
            if line:
                given.on_line(line)

        plugin = buildx.find_plugin()
        with tempfile.TemporaryDirectory(prefix="manifest-engine-") as name:
            config = Path(name)  # mode 0700
            text = buildx.client_config(given.logins, build.proxies)
            write_private(config / "config.json", text)
            if build.source_policy:
                write_private(config / buildx.SOURCE_POLICY, build.source_policy)
            metadata = config / "metadata.json"
            try:
                status = self._child.run(
                    buildx.argv(plugin, build, metadata),
                    env=buildx.environment(build, self._engine, config, os.environ),
                    stream=given.context,
                    on_line=read_line,
                    deadline_seconds=given.deadline_seconds,
                )
            except _DeadlineExceeded:
                if watch.silent:
                    raise build_failure.silent_registry(
                        watch.silent,
                        builder=self._builder,
                        seconds=_RESOLVE_SECONDS,
                        frontend=given.frontend,
                    ) from None
                raise BuildError(
                    f"The image was not built within {given.deadline_seconds:.0f} s on the builder "
                    f"{self._builder!r}; the build was ended. See its log for the slow step.",
                    retryable=True,
                ) from None
            finally:
                watch.stop()
            if status != 0:
                raise build_failure.failure(
                    self.output,
                    builder=self._builder,
                    dockerfile=given.dockerfile,
                    hints=given.hints,
                    frontend=given.frontend,
                )
            return buildx.image_id(metadata.read_text())


class _RegistryWatch:
    """Ends a build whose base image is not resolved in time."""

    def __init__(self, output: BuildOutput, end: Callable[[], None]) -> None:
        self.silent = ""
        """The reference whose registry did not answer."""
        self._output, self._end = output, end
        self._timers: dict[str, threading.Timer] = {}

    def update(self) -> None:
        """Start and stop a timer for each image that BuildKit resolves."""
        for step in self._timers.keys() - self._output.resolving.keys():
            self._timers.pop(step).cancel()
        for step, reference in self._output.resolving.items():
            if step not in self._timers:
                timer = threading.Timer(_RESOLVE_SECONDS, self._give_up, (reference,))
                timer.daemon = True
                timer.start()
                self._timers[step] = timer

    def stop(self) -> None:
        """Stop all timers."""
        for timer in self._timers.values():
            timer.cancel()

    def _give_up(self, reference: str) -> None:
        self.silent = reference
        self._end()


class Child:
    """One run of a program that reads a stream and prints its progress line by line.

    The program ends with its caller: when :meth:`cancel` is called, the deadline passes, the stream
    raises an exception, or this process dies.
    """

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
        """Write ``stream`` to the program's input, pass on each line of its output, and wait.

        Lines are printable and have at most ``printable.LINE_MAX`` characters. The thread that
        calls this method must outlive the program: the kernel kills the program with that thread.

        :return: the exit status.
        :raises _DeadlineExceeded: after ``deadline_seconds``.
        :raises BuildCancelled: after :meth:`cancel`.
        """
        if self._cancelled:
            raise _cancelled()
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
        watchdog = threading.Timer(deadline_seconds, self.give_up)
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
            raise _cancelled()
        if self._feed_error:
            raise self._feed_error
        if self._late:
            raise _DeadlineExceeded
        return status

    def cancel(self) -> None:
        """End the program; safe to call from a signal handler at any time."""
        self._cancelled = True
        if self._process:
            self._process.terminate()
            kill = threading.Timer(_GRACE_SECONDS, self._process.kill)
            kill.daemon = True
            kill.start()

    def give_up(self) -> None:
        """End the program as if its deadline had passed."""
        self._late = True
        if self._process:
            self._end(self._process)

    def _feed(self, pipe: IO[bytes], stream: Iterable[bytes]) -> None:
        try:
            for chunk in stream:
                pipe.write(chunk)
        except BrokenPipeError:
            pass  # the program ended first; its exit status and output say why
        except BaseException as error:
            # Kill before the pipe closes, or the program takes half a stream for the whole.
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


class _DeadlineExceeded(Exception):
    """The program did not end in time."""


def _cancelled() -> BuildCancelled:
    return BuildCancelled("The build was cancelled.", retryable=True)


def _die_with_parent() -> None:
    """Let the kernel kill the new process when the task's process dies, even by SIGKILL."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
