"""Send a request until it is answered: a busy or broken server is given time, but not for ever."""

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
    """Call ``once`` until it is answered by something else than "busy" or a broken connection.

    ``Retry-After`` (RFC 9110, 10.2.3) is obeyed where it fits into the deadline.

    :raises Impatient: when the deadline would pass.
    :raises requests.exceptions.SSLError: at once; waiting mends no certificate.
    """
    import tenacity

    growing = tenacity.wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after(error.answer) if isinstance(error, _Busy) else None
        return asked if asked is not None else growing(state)

    def attempt() -> requests.Response:
        answer = once()
        if answer.status_code in _BUSY:
            raise _Busy(answer)
        return answer

    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            wait=pause,
            sleep=sleep,
            stop=tenacity.stop_before_delay(deadline_seconds),
        )(attempt)
    except tenacity.RetryError as error:
        last = error.last_attempt.exception()
        raise NoAnswerInTime(innermost(last)) from last


def retry_after(answer: requests.Response) -> float | None:
    """Seconds that the answer asks to wait, None if it does not say."""
    text = answer.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        # A certificate that is not trusted is not by waiting; a cut connection may be.
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, (_Busy, *passing))
