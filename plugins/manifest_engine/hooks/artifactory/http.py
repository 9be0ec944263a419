"""Requests to Artifactory, with retries; credentials never follow a redirect to another host."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from manifest_engine.hooks.artifactory.errors import ArtifactUnavailable, ErrorSentences, os_error
from manifest_engine.hooks.core import http_answers

ATTEMPTS = 5
"""Attempts per request, about 8 s with the waits below; then Airflow retries the task."""
_FIRST_WAIT = 0.5
"""First wait in seconds; each later wait is twice as long."""
_LONGEST_WAIT = 60.0
"""Maximum seconds for Retry-After, since the task occupies a worker slot meanwhile."""


class Bearer(AuthBase):
    """An access token, identity token or reference token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class Client:
    """Sends GET requests, and retries temporary failures.

    :param errors: creates the errors.
    :param verify: True, False, or the path of a CA bundle.
    :param timeout: seconds without a byte.
    :param attempts: number of attempts per request.
    """

    errors: ErrorSentences
    auth: AuthBase
    verify: bool | str
    timeout: float
    log: logging.Logger
    attempts: int = ATTEMPTS
    sleep: Callable[[float], Any] = time.sleep
    session: requests.Session = field(default_factory=http_answers.Session)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """An answer with status 200, 206 or 416 and an unread body; the caller closes it.

        :raises ArtifactError: for every other status, and when no answer comes.
        """
        return Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=_wait,
            retry=retry_if_exception(lambda error: isinstance(error, ArtifactUnavailable)),
            before_sleep=self._log_retry,
            sleep=self.sleep,
            reraise=True,
        )(self._get, url, headers or {})

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            response = self.session.get(
                url,
                # Sizes and ranges count bytes of the uncompressed file.
                headers={"Accept-Encoding": "identity", **headers},
                auth=self.auth,
                # A CA bundle of the environment would override ``verify`` of the session.
                verify=self.verify,
                timeout=(min(self.timeout, 10), self.timeout),
                stream=True,
            )
        except requests.RequestException as error:
            raise self.errors.unreachable(error) from os_error(error)
        if response.status_code in (200, 206, 416):
            return response
        with response:
            http_answers.read_refusal(response)
            raise self.errors.refusal(url, response)

    def _log_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        self.log.warning("%s Trying again in %.1f s.", error, seconds)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, ArtifactUnavailable) else None
    if after is not None:
        return min(max(after, 0.0), _LONGEST_WAIT)
    return float(_FIRST_WAIT * 2 ** (state.attempt_number - 1))
