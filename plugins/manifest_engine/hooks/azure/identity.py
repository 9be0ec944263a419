"""The identity of a Connection to Azure: tokens of Entra ID, renewed when they are due."""

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
"""Seconds, and tries; azure-core's own are 300 s and 10, too long for a person who waits."""
_SAID_MAX = 500
"""Characters of what Azure says: it begins with a code and the reason."""
_LINKS = re.compile(
    r"(See the troubleshooting guide[^:]{0,200}:|To (troubleshoot|mitigate)[^:]{0,200}) \S+ ?"
)
_NO_TENANT = "Unable to get authority configuration"
"""MSAL does not pass on what Entra ID said."""
_DISTRUST = "CERTIFICATE_VERIFY_FAILED"
_MACHINE_ERROR = re.compile(r"Token request error: \(\w+\) (.+)")
"""Of the instance metadata service, behind "no response" although it has answered."""
_ENTRA_ERROR = re.compile(r"AADSTS\d+:.*?(?=\.\s|\sTrace ID|$)")


class AzureIdentity:
    """azure-identity caches tokens in the credential, and renews them 5 minutes before their end.

    :param conn_id: the Connection, for errors.
    :param login: client id, or None.
    :param password: client secret, or None.
    :param extra: the Connection's extra, see
    :func:`~manifest_engine.hooks.azure.entra.entra_credential`.
    :param verify: file of certificate authorities, or True for the usual ones.
    :param error: what is raised: the error of the system that the tokens are for.
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
        self._way = extra.get("auth")
        self._given: dict[str, Any] = {"login": login, "password": password, "extra": extra}
        self._transport: dict[str, Any] = {**TRANSPORT, "connection_verify": verify}
        self._error = error
        self._credential: Any = None

    def __str__(self) -> str:
        """As errors call it: which Connection, and who that is."""
        who = [f"client {self.client}" if self.client else str(self._way).replace("_", " ")]
        if self.tenant:
            who.append(f"tenant {self.tenant}")
        return f"the identity of the Connection {self.conn_id!r} ({', '.join(who)})"

    @property
    def credential(self) -> Any:
        """The ``TokenCredential``.

        :raises ConfigurationError: naming the field that is missing.
        """
        if self._credential is None:
            _quieten()
            self._credential = entra_credential(
                self.conn_id, **self._given, **self._transport, session=http_answers.session()
            )
        return self._credential

    def validate(self) -> None:
        """Raise ConfigurationError or the identity's error when a field is missing or wrong."""
        with self._explained():
            _ = self.credential

    def token(self, scope: str) -> str:
        """A token that is valid for some minutes at least.

        :param scope: ``<resource>/.default``.
        :raises ManifestEngineError: in Entra ID's own words, the first sentence.
        """
        with self._explained(scope):
            return str(self.credential.get_token(scope).token)

    def renew(self) -> None:
        """Forget all tokens: one was refused although its time was not over."""
        self._credential = None

    @contextmanager
    def _explained(self, scope: str = "") -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            said = _words(error)
            if _NO_TENANT in said:
                said = "there is no such tenant at its authority; correct tenant_id"
            raise self._error(
                f"Entra ID gives {self} no token for {scope.removesuffix('/.default')}: {said}.",
                retryable=_passing(error),
            ) from error
        # What azure-identity itself refuses, such as a tenant id, or a token file that is missing.
        except (ValueError, OSError) as error:
            raise self._error(
                f"Entra ID cannot be asked for a token for {self}: {_words(error)}."
            ) from error


def first_sentence(error: BaseException) -> str:
    """What Azure says, without the hints and trace ids after it, and without a last period."""
    return printable.excerpt(_flat(error).partition(". ")[0], _SAID_MAX).rstrip(". ")


def _words(error: BaseException) -> str:
    """Entra ID's first sentence; of azure-identity's own all but the links."""
    text = _flat(error)
    if found := _ENTRA_ERROR.search(text):
        return printable.excerpt(found.group(), _SAID_MAX).rstrip(". ")
    if found := _MACHINE_ERROR.search(text):
        said = printable.excerpt(found.group(1), _SAID_MAX).rstrip(". ")
        return f"the metadata service of this machine says {said!r}"
    return printable.excerpt(_LINKS.sub("", text), _SAID_MAX).rstrip(". ")


def _flat(error: BaseException) -> str:
    return " ".join(printable.sentence(str(error)).split())


def _passing(error: BaseException) -> bool:
    """Whether the same request can succeed later; azure-identity wraps what the network raised."""
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    if _DISTRUST in str(error):
        return False
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code == 429 or response.status_code >= 500
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ServiceRequestError | ServiceResponseError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _quieten() -> None:
    """Azure's loggers tell each request and each token at level INFO."""
    logger = logging.getLogger("azure")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    # It logs a failure with its traceback, and we raise it as a sentence.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
