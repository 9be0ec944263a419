"""Clients of a Kubernetes API server with a default timeout and a renewed token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubernetes.client import ApiClient, ApiException, Configuration
from urllib3.exceptions import MaxRetryError

_SECONDS = (10.0, 60.0)
"""Timeout to connect and to read, for requests without their own; the library has no default."""
_SCHEME = "BearerToken"


class TimedClient(ApiClient):
    """Sets a timeout for every request."""

    def call_api(self, *args: Any, **kwargs: Any) -> Any:
        """Call the API; generated methods pass ``_request_timeout=None``."""
        if kwargs.get("_request_timeout") is None:
            kwargs["_request_timeout"] = _SECONDS
        return super().call_api(*args, **kwargs)


class BearerClient(TimedClient):
    """Sends a valid token with every request, and a new token after HTTP 401.

    An API server checks the token when a request begins, so a watch can outlive its token.

    :param token: returns the current token, cached or new.
    :param renew: makes the next ``token()`` return a new token.
    :param refused: creates the error when the API server refuses the new token as well.
    :param unreachable: called when no connection to the API server comes about.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        token: Callable[[], str],
        renew: Callable[[], None],
        refused: Callable[[], Exception],
        unreachable: Callable[[], None],
    ) -> None:
        def refresh(settings: Configuration) -> None:
            settings.api_key[_SCHEME] = token()

        configuration.api_key_prefix[_SCHEME] = "Bearer"
        refresh(configuration)  # the library calls the hook only if a token is set
        configuration.refresh_api_key_hook = refresh
        super().__init__(configuration)
        self._renew = renew
        self._refused = refused
        self._unreachable = unreachable

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send a request, and once more with a new token after HTTP 401."""
        try:
            return super().request(method, url, **kwargs)
        except MaxRetryError:
            self._unreachable()
            raise
        except ApiException as error:
            if error.status != 401:
                raise
        self._renew()
        fresh = self.configuration.get_api_key_with_prefix(_SCHEME)
        kwargs["headers"] = {**(kwargs.get("headers") or {}), "authorization": fresh}
        try:
            return super().request(method, url, **kwargs)
        except ApiException as error:
            if error.status != 401:
                raise
            raise self._refused() from error
