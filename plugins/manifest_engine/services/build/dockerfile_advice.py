"""What a linter has to say on a service's own Dockerfile; it never fails a build."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import Logger


@contextmanager
def log_advice(dockerfile: bytes, which: str, log: Logger) -> Iterator[None]:
    """Lint while something else is done, and log the advice after it.

    :param which: how to call the Dockerfile.
    """
    from manifest_engine.hooks.builder import dockerfile_lint

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(dockerfile_lint.advice, dockerfile)
        try:
            yield
        finally:
            for line in found.result():
                log.warning("Advice on %s, %s", which, line)
