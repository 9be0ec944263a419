"""Which builder a build goes to: the first that answers, in the order of the service's ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack
    from logging import Logger

    from manifest_engine.hooks.builder import BuilderHook


def first_that_answers(ranked: Iterable[str], opened: ExitStack, log: Logger) -> BuilderHook:
    """
    :param ranked: ids of Docker connections.
    :param opened: closes it.
    :raises BuildError: when none answers; retryable, if one of them may answer later.
    """
    from manifest_engine.hooks.builder import BuilderHook

    problems = []
    for conn_id in ranked:
        builder = opened.enter_context(BuilderHook(conn_id))
        try:
            builder.ping()
        except BuildError as error:
            log.warning("%s", error)
            problems.append(error)
        else:
            return builder
    told = " ".join(map(str, problems))
    passing = any(problem.retryable for problem in problems)
    raise BuildError(f"No builder answers. {told}", retryable=passing)
