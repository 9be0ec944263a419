"""The Entra ID identity of a Connection to Azure, with its tokens."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ClusterError, ManifestEngineError
from manifest_engine.hooks.azure.entra import entra_credential
from manifest_engine.hooks.core import http_answers

TRANSPORT = {"connection_timeout": 10, "read_timeout": 60, "retry_total": 3}
"""Seconds and retries; azure-core's defaults, 300 s and 10, are too long for interactive use."""
_MESSAGE_MAX = 500
"""Characters of Azure's message, which begins with a code and the reason."""
_LINKS = re.compile(
    r"(See the troubleshooting guide[^:]{0,200}:|To (troubleshoot|mitigate)[^:]{0,200}) \S+ ?"
)
_NO_TENANT = "Unable to get authority configuration"
"""MSAL's message for a tenant that does not exist; it omits the answer of Entra ID."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_MACHINE_ERROR = re.compile(r"Token request error: \(\w+\) (.+)")
"""Answer of the instance metadata service, which azure-identity reports as "no response"."""
_IDS = re.compile(r"\b(Trace|Correlation) ID: ([\w-]{1,64})", re.IGNORECASE)
"""Ids in Entra ID's error_description, by which Microsoft's support finds a request."""
_ENTRA_ERROR = re.compile(r"AADSTS\d+:.*?(?=\.\s|\sTrace ID|$)")


class AzureIdentity:
    """azure-identity caches tokens in the credential and renews them 5 minutes before they expire.

    :param conn_id: the Connection, for errors.
    :param login: client id, or None.
    :param password: client secret, or None.
    :param extra: the Connection's extra, see
    :func:`~manifest_engine.hooks.azure.entra.entra_credential`.
    :param verify: path of a file of certificate authorities, or True for the usual authorities.
    :param error: class of the raised errors: that of the system that the tokens are for.
    """

    def __init__(
        self,
        conn_id: str,
        *,
        login: str | None,
        password: str | None,
        extra: Mapping[str, Any],
        verify: bool | str = True,
        error: type[ManifestEngineError] = ClusterError,
    ) -> None:
        self.conn_id = conn_id
        self.tenant = extra.get("tenant_id")
        self.client = extra.get("client_id") or login
        self._method = extra.get("auth")
        self._given: dict[str, Any] = {"login": login, "password": password, "extra": extra}
        self._transport: dict[str, Any] = {
            **TRANSPORT,
            "connection_verify": verify,
            "raw_response_hook": self._note_status,
        }
        self._status: int | None = None
        self._error = error
        self._credential: Any = None

    def __str__(self) -> str:
        """The Connection and its identity, for errors."""
        who = [f"client {self.client}" if self.client else str(self._method).replace("_", " ")]
        if self.tenant:
            who.append(f"tenant {self.tenant}")
        return f"the identity of the Connection {self.conn_id!r} ({', '.join(who)})"

    @property
    def credential(self) -> Any:
        """The ``TokenCredential``.

        :raises ConfigurationError: with the name of a missing field.
        """
        if self._credential is None:
            _silence_loggers()
            self._credential = entra_credential(
                self.conn_id, **self._given, **self._transport, session=http_answers.session()
            )
        return self._credential

    def validate(self) -> None:
        """Raise ConfigurationError or the identity's error when a field is missing or wrong."""
        with self._explained():
            _ = self.credential

    def token(self, scope: str) -> str:
        """A token that is valid for at least some minutes.

        :param scope: ``<resource>/.default``.
        :raises ManifestEngineError: with the first sentence of Entra ID's message.
        """
        self._status = None
        with self._explained(scope):
            return str(self.credential.get_token(scope).token)

    def renew(self) -> None:
        """Discard all tokens, after a server has refused a token that had not expired."""
        self._credential = None

    def _note_status(self, answer: Any) -> None:
        """Keep the status of the last answer, because errors of azure-identity lack the status."""
        self._status = answer.http_response.status_code

    @contextmanager
    def _explained(self, scope: str = "") -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            message = _message(error)
            if _NO_TENANT in message:
                message = "there is no such tenant at its authority; correct tenant_id"
            raise self._error(
                f"Entra ID gives {self} no token for {scope.removesuffix('/.default')}: {message}.",
                retryable=_is_temporary(error, self._status),
            ) from error
        # Raised by azure-identity itself, for example when a token file is missing.
        except (ValueError, OSError) as error:
            raise self._error(
                f"Entra ID cannot be asked for a token for {self}: {_message(error)}."
            ) from error


def first_sentence(error: BaseException) -> str:
    """The first sentence of Azure's message, without hints, trace ids and the final period."""
    return printable.excerpt(_single_line(error).partition(". ")[0], _MESSAGE_MAX).rstrip(". ")


def _message(error: BaseException) -> str:
    """The first sentence of Entra ID, or the message of azure-identity without its links."""
    text = _single_line(error)
    if found := _ENTRA_ERROR.search(text):
        return printable.excerpt(found.group(), _MESSAGE_MAX).rstrip(". ") + _ids(text)
    if found := _MACHINE_ERROR.search(text):
        answer = printable.excerpt(found.group(1), _MESSAGE_MAX).rstrip(". ")
        return f"the metadata service of this machine says {answer!r}"
    return printable.excerpt(_LINKS.sub("", text), _MESSAGE_MAX).rstrip(". ")


def _ids(text: str) -> str:
    found = {kind.lower(): value for kind, value in _IDS.findall(text)}
    listed = ", ".join(f"{kind} id {value}" for kind, value in found.items())
    return f" ({listed})" if listed else ""


def _single_line(error: BaseException) -> str:
    return " ".join(printable.sentence(str(error)).split())


def _is_temporary(error: BaseException, status: int | None) -> bool:
    """Whether a retry can help; azure-identity wraps the error of the network.

    :param status: HTTP status of the last answer; None without an answer.
    """
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    if _UNTRUSTED in str(error):
        return False
    if status is not None and (status == 429 or status >= 500):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ServiceRequestError | ServiceResponseError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _silence_loggers() -> None:
    """Silence Azure's loggers, which log each request and each token at level INFO."""
    logger = logging.getLogger("azure")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    # This logger writes failures with a traceback, and we raise them as a sentence.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
