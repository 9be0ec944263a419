"""Repeat a request while the server is busy or unreachable, up to a deadline."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from time import sleep, time

import requests

from manifest_engine.hooks.core.causes import innermost

_BUSY = (429, 500, 502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0


class NoAnswerInTime(Exception):
    """No answer within the deadline; the message is the last problem."""


class _Busy(Exception):
    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"HTTP {answer.status_code}")
        self.answer = answer


def send_with_retries(
    once: Callable[[], requests.Response], *, deadline_seconds: float
) -> requests.Response:
    """Repeat ``once`` while the connection breaks or the status says that the server is busy.

    The pause is that of ``Retry-After`` (RFC 9110, 10.2.3), or grows exponentially.

    :raises NoAnswerInTime: when the next pause would exceed the deadline.
    :raises requests.exceptions.SSLError: at once when a certificate is not valid.
    """
    import tenacity

    growing = tenacity.wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        requested = retry_after(error.answer) if isinstance(error, _Busy) else None
        return requested if requested is not None else growing(state)

    def attempt() -> requests.Response:
        answer = once()
        if answer.status_code in _BUSY:
            raise _Busy(answer)
        return answer

    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_temporary),
            wait=pause,
            sleep=sleep,
            stop=tenacity.stop_before_delay(deadline_seconds),
        )(attempt)
    except tenacity.RetryError as error:
        last = error.last_attempt.exception()
        raise NoAnswerInTime(innermost(last)) from last


def retry_after(answer: requests.Response) -> float | None:
    """Seconds in the answer's ``Retry-After``, None without that header."""
    text = answer.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None


def _is_temporary(error: BaseException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        # A retry helps when a connection breaks off, but not with a wrong certificate or CA file.
        return "CERTIFICATE" not in str(error)
    temporary = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, (_Busy, *temporary))
