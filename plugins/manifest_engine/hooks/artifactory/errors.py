"""Errors of requests to Artifactory, with the reason and the remedy.

No error contains a credential or the query of a URL: Artifactory redirects to signed URLs.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.hooks.core.retrying import retry_after

_BUSY = 429
_MESSAGE_MAX = 200


class ArtifactUnavailable(ArtifactError):
    """The request can succeed later.

    :param after: seconds in the server's ``Retry-After``, if any.
    """

    def __init__(self, sentence: str, after: float | None = None) -> None:
        super().__init__(sentence, retryable=True)
        self.after = after


class ArtifactMissing(ArtifactError):
    """Artifactory says that the file does not exist."""


@dataclass(frozen=True)
class ErrorSentences:
    """Creates the errors of one Artifactory.

    :param base: base URL of Artifactory.
    :param connection: id of the Airflow Connection.
    """

    base: str
    connection: str

    def unreachable(self, error: requests.RequestException) -> ArtifactError:
        """The error for a request without an answer, or with half an answer."""
        url = error.request.url if error.request is not None else self.base
        place = self._place(str(url))
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ArtifactError(
                    f"{place} shows a certificate that is not trusted ({cause.verify_message}); "
                    f"name its CA in the extra 'verify' of the Airflow Connection "
                    f"{self.connection!r}, or in REQUESTS_CA_BUNDLE."
                )
            if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
                return ArtifactError(
                    f"{place} does not speak TLS; let the host of the Airflow Connection "
                    f"{self.connection!r} begin with http:// if that is meant."
                )
        if isinstance(error, (requests.TooManyRedirects, ValueError)):
            return ArtifactError(
                f"{place} cannot be asked ({type(error).__name__}); check the host of the Airflow "
                f"Connection {self.connection!r}."
            )
        system = os_error(error)
        reason = (system.strerror if system else None) or type(error).__name__
        return ArtifactUnavailable(
            f"{place} cannot be reached ({reason}); check that it runs, and the host of the "
            f"Airflow Connection {self.connection!r}."
        )

    def refusal(self, url: str, response: requests.Response) -> ArtifactError:
        """The error for an answer with an unexpected status."""
        status, place = response.status_code, self._place(response.url)
        # Show the URL that opens the file in a browser, not the URL of its file info.
        url = url.replace(f"{self.base}/api/storage/", f"{self.base}/")
        if status == _BUSY:
            return ArtifactUnavailable(
                f"{place} limits the rate of requests (429) and refused {url}; ask its "
                "administrators for a higher limit if that happens often.",
                retry_after(response),
            )
        if status >= 500:
            return ArtifactUnavailable(
                f"{place} answers {status} ({response.reason}) for {url}; it is overloaded or "
                "being restarted, so try again later.",
                retry_after(response),
            )
        if _authority(response.url) != _authority(self.base):
            return ArtifactUnavailable(
                f"{place} refuses the signed URL ({status}); look there for what it expects, and "
                "at the clocks of both."
            )
        if status == 404 and not urlsplit(self.base).path:
            return ArtifactError(
                f"{url} does not exist (404); the host of the Airflow Connection "
                f"{self.connection!r} lacks the path of Artifactory, usually /artifactory."
            )
        if status == 404:
            return ArtifactMissing(
                f"{url} does not exist (404); check component, serviceName and version, or the "
                "artifact, of the manifest, and whether the ZIP was published there. Artifactory "
                f"may say so, too, where the Airflow Connection {self.connection!r} may not read."
            )
        if status == 401:
            return ArtifactError(
                f"{place} does not accept the credentials of the Airflow Connection "
                f"{self.connection!r} (401); put a valid token into its password (and leave login "
                "empty), or login and password."
            )
        if status == 403:
            return ArtifactError(
                f"{place} does not let the Airflow Connection {self.connection!r} read {url} (403"
                f"{_message(response)}); its user needs the permission Read on that repository."
            )
        return ArtifactError(f"{place} answers {status} for {url}{_message(response)}.")

    def _place(self, url: str) -> str:
        authority = _authority(url)
        if authority == _authority(self.base):
            return f"Artifactory at {authority}"
        return f"The storage at {authority}, to which Artifactory redirects,"


def os_error(error: BaseException) -> OSError | None:
    """The system's error, for chaining; errors of requests quote URLs with their queries."""
    for cause in _causes(error):
        if isinstance(cause, requests.RequestException):
            continue
        if isinstance(cause, OSError) and cause.strerror:
            return cause
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes; requests and urllib3 wrap errors without chaining."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [item for item in inner if isinstance(item, BaseException)]


def _message(response: requests.Response) -> str:
    """The message of Artifactory's error document, to append to a sentence."""
    try:
        text = str(response.json()["errors"][0]["message"])
    except (
        *(requests.RequestException, RecursionError),
        *(ValueError, KeyError, IndexError, TypeError),
    ):
        return ""
    line = printable.excerpt(text, _MESSAGE_MAX)
    return f": {line}" if line else ""


def _authority(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
