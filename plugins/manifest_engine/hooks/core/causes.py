"""What lies at the bottom of an error: libraries wrap what the system said."""

from __future__ import annotations


def innermost(error: BaseException | None) -> str:
    """The words of the last error of a chain, or its kind where it has none."""
    while error is not None and (inner := _wrapped(error)) is not None:
        error = inner
    return str(error) or type(error).__name__


def _wrapped(error: BaseException) -> BaseException | None:
    """What the error was made of.

    Not its ``__context__``: of one that is raised while another one is handled, that is the other.
    """
    carried = getattr(error, "reason", None), *error.args, error.__cause__
    return next((inner for inner in carried if isinstance(inner, BaseException)), None)
