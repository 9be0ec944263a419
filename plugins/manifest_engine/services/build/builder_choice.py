"""Which builder a build goes to: the first that can be used, in the order of the service's
ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack
    from logging import Logger

    from manifest_engine.domain.environment.environment import Build
    from manifest_engine.hooks.builder.hook import BuilderHook


def first_usable(
    ranked: Iterable[str], build: Build, opened: ExitStack, log: Logger
) -> BuilderHook:
    """
    :param ranked: ids of Docker connections.
    :param build: what the builder must enforce.
    :param opened: closes it.
    :raises BuildError: when none can be used; retryable, if one of them may answer later.
    """
    from manifest_engine.hooks.builder.hook import BuilderHook

    problems = []
    for conn_id in ranked:
        builder = opened.enter_context(BuilderHook(conn_id))
        try:
            builder.ping()
            builder.require(build)
        except BuildError as error:
            log.warning("%s", error)
            problems.append(error)
        else:
            return builder
    told = " ".join(map(str, problems))
    passing = any(problem.retryable for problem in problems)
    raise BuildError(f"No builder can be used. {told}", retryable=passing)
