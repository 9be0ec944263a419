"""What goes wrong when an engine is asked, as errors that a person can use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from manifest_engine.domain.core.errors import BuildError, ManifestEngineError
from manifest_engine.hooks.core.causes import innermost


@contextmanager
def explained(builder: str, url: str) -> Iterator[None]:
    """While the engine is asked.

    :param builder: its Connection.
    :param url: where it is.
    :raises BuildError: for whatever docker-py raises; retryable, unless the engine is too old.
    """
    from docker.errors import APIError, InvalidVersion

    try:
        yield
    except ManifestEngineError:
        raise
    except InvalidVersion as error:
        raise too_old(builder, url, str(error).rstrip(".")) from error
    except Exception as error:
        told = error.explanation if isinstance(error, APIError) else None
        raise BuildError(
            f"The builder {builder!r} at {url} does not answer as it should "
            f"({told or innermost(error)}); start its Docker engine, or correct the Connection.",
            retryable=True,
        ) from error


def too_old(builder: str, url: str, why: str, *, release: int = 23) -> BuildError:
    """The error for an engine whose BuildKit does not know all that is asked.

    :param release: of Docker Engine, the first that does.
    """
    return BuildError(
        f"The builder {builder!r} at {url} is too old: {why}; install Docker Engine {release} or "
        "newer there."
    )
