"""What lies at the bottom of an error: libraries wrap what the system said."""

from __future__ import annotations


def innermost(error: BaseException | None) -> str:
    """The words of the last error of a chain, or its kind where it has none."""
    while error is not None and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
