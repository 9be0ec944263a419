"""Chooses the builder: the first usable one in the ranking of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack
    from logging import Logger

    from manifest_engine.domain.environment.builds import Build
    from manifest_engine.hooks.builder.hook import BuilderHook


def first_usable(
    ranked: Iterable[str],
    build: Build,
    opened: ExitStack,
    log: Logger,
    *,
    runs_on: str | None = None,
) -> BuilderHook:
    """
    :param ranked: ids of Docker Connections, the preferred builder first.
    :param build: settings that the builder must enforce.
    :param runs_on: platform whose programs the builder must execute.
    :param opened: the stack that closes the builders.
    :raises BuildError: when no builder is usable; retryable if a builder may answer later.
    """
    from manifest_engine.hooks.builder.hook import BuilderHook

    problems = []
    for conn_id in ranked:
        builder = opened.enter_context(BuilderHook(conn_id))
        try:
            builder.ping()
            builder.require(build)
            if runs_on:
                builder.require_platform(runs_on)
        except BuildError as error:
            log.warning("%s", error)
            problems.append(error)
        else:
            return builder
    raise BuildError(
        f"No builder can be used. {' '.join(map(str, problems))}",
        retryable=any(problem.retryable for problem in problems),
    )
