"""Clients of a Kubernetes API server: one that never waits forever, one that renews its token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubernetes.client import ApiClient, ApiException, Configuration

_SECONDS = (10.0, 60.0)
"""To connect and to read, for requests that give no time of their own; the library's is none."""
_SCHEME = "BearerToken"


class TimedClient(ApiClient):
    """Gives up on an API server that does not answer."""

    def call_api(self, *args: Any, **kwargs: Any) -> Any:
        """A call of the API; generated methods pass ``_request_timeout=None``."""
        if kwargs.get("_request_timeout") is None:
            kwargs["_request_timeout"] = _SECONDS
        return super().call_api(*args, **kwargs)


class BearerClient(TimedClient):
    """Asks for the token with every request, and for a new one when a request answers 401.

    An API server looks at the token when a request begins: a watch outlives it, the next watch
    carries the next one.

    :param token: gives the present token; caching it is its own affair.
    :param renew: makes the next ``token()`` a new one.
    :param refused: the error when a new token is not accepted either.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        token: Callable[[], str],
        renew: Callable[[], None],
        refused: Callable[[], Exception],
    ) -> None:
        def refresh(settings: Configuration) -> None:
            settings.api_key[_SCHEME] = token()

        configuration.api_key_prefix[_SCHEME] = "Bearer"
        refresh(configuration)  # the library asks the hook only where there is a token already
        configuration.refresh_api_key_hook = refresh
        super().__init__(configuration)
        self._renew = renew
        self._refused = refused

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """One request, and once more with a new token if the first was not accepted."""
        try:
            return super().request(method, url, **kwargs)
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
