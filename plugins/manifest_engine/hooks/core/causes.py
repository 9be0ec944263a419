"""The root cause of an error: libraries wrap the error of the operating system."""

from __future__ import annotations


def innermost(error: BaseException | None) -> str:
    """The message of the root cause, or its class name if it has no message."""
    while error is not None and (inner := _wrapped(error)) is not None:
        error = inner
    return str(error) or type(error).__name__


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that this error wraps.

    ``__context__`` does not count: it can be an unrelated error that was being handled.
    """
    candidates = getattr(error, "reason", None), *error.args, error.__cause__
    return next((inner for inner in candidates if isinstance(inner, BaseException)), None)
