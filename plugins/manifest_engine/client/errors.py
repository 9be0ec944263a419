"""The client's exit statuses, and the error that ends a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LIVE = 0
"""Exit status: the service is live, or the command has succeeded."""
FAILED = 1
"""Exit status: the deployment ended in another state."""
REFUSED = 2
"""Exit status: the command line, the manifest or the request was refused; nothing was started."""
NOT_ALLOWED = 3
"""Exit status: the login or a permission is missing."""
UNREACHABLE = 4
"""Exit status: Airflow gave no usable answer."""
TIMED_OUT = 5
"""Exit status: the time of ``--timeout`` is over; the deployment continues."""


class Stopped(Exception):
    """Ends a command.

    :param status: exit status.
    :param detail: the reason, in one or two sentences.
    :param errors: problems of a manifest, each with ``pointer`` and ``detail``.
    """

    def __init__(self, status: int, detail: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors
