"""One cluster's API server: requests by kind, watches, and what it refuses as errors of ours."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

from urllib3 import Retry
from urllib3.exceptions import ReadTimeoutError

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload.refusals import Attempt
from manifest_engine.hooks.core import bounded
from manifest_engine.hooks.kubernetes import errors as cluster_errors
from manifest_engine.hooks.kubernetes.api_kinds import KnownKinds, rbac_name

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
"""A single request is given this long; longer waits are watches with a time of their own."""
_WATCH_MARGIN_SECONDS = 10.0
_ANSWER_MAX = 64 << 20
"""Bytes of one answer: a list of some ten thousand objects."""
_EVENT_MAX = 4 << 20
"""Bytes of one event of a watch; etcd takes objects of 1.5 MiB."""
_RETRIES = 3
"""As urllib3 has it."""
SHORTEST_WATCH_SECONDS = 1.0
"""A watch that the API server ends at once is over no sooner: who still waits watches again."""
_log = logging.getLogger(__name__)

Json = dict[str, Any]


class _ReadOnce(Retry):
    """Asks again where a connection could not be made or has broken, but waits for no answer twice.

    The library's own retries wait for it four times, so that READ_SECONDS would be no limit.
    """

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        error = kwargs.get("error")
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(*args, **kwargs)


class _WithoutOurRetries(logging.Filter):
    """Leaves out three lines for each request to an API server that is away: our error tells it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(isinstance(argument, _ReadOnce) for argument in record.args or ())


_WITHOUT_OUR_RETRIES = _WithoutOurRetries()


def reading_once(client: ApiClient) -> ApiClient:
    """The client, before its first request; none of them waits for an answer twice."""
    logging.getLogger("urllib3.connectionpool").addFilter(_WITHOUT_OUR_RETRIES)
    client.rest_client.pool_manager.connection_pool_kw["retries"] = _ReadOnce(_RETRIES)
    return client


class ApiServer:
    """
    :param client: an authenticated client.
    """

    def __init__(self, client: ApiClient) -> None:
        from kubernetes.dynamic import DynamicClient

        self.url = str(client.configuration.host)
        self._client = DynamicClient(client, discoverer=KnownKinds)

    def request(
        self,
        method: str,
        api_version: str,
        kind: str,
        *,
        namespace: str | None,
        name: str | None = None,
        verb: str | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        **parameters: Any,
    ) -> Json:
        """Ask once; the answer.

        :param method: of HTTP, in lower case.
        :param namespace: None for all of them.
        :param name: None for the whole collection.
        :param verb: as RBAC calls it, where it is not the method.
        :param parameters: as the client names them; None leaves one out.
        :raises ClusterError: or one of its kinds, saying what to do.
        """
        attempt = Attempt(verb or method, rbac_name(api_version, kind), namespace or "", name or "")
        with self.explained(attempt):
            answer = self._client.request(
                method,
                self._path(api_version, kind, namespace=namespace, name=name),
                body=body,
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
                **parameters,
            )
            said = answer.read(_ANSWER_MAX + 1, decode_content=True)
        if len(said) > _ANSWER_MAX:
            raise ClusterError(
                f"The API server {self.url} was asked to {attempt} and answers more than "
                f"{_ANSWER_MAX >> 20} MiB; delete old objects of that kind there."
            )
        try:
            return cast("Json", json.loads(said))
        except ValueError as error:
            raise ClusterError(
                f"The API server {self.url} was asked to {attempt} and its answer is no JSON, or "
                f"broke off ({error}); look at the proxy before it, if there is one.",
                retryable=True,
            ) from error

    def watch(
        self, api_version: str, kind: str, name: str, namespace: str, *, seconds: float
    ) -> Iterator[tuple[str, Json]]:
        """Event types and states of one object, beginning with the present one, for so long.

        The type is ADDED, MODIFIED or DELETED. Ends early when the API server ends the watch or its
        stream breaks off; who still waits watches again.

        :raises ClusterError: when the watch is refused.
        """
        from urllib3.exceptions import HTTPError

        earliest_end = time.monotonic() + min(seconds, SHORTEST_WATCH_SECONDS)
        whole = max(1, round(seconds))
        with self.explained(Attempt("watch", rbac_name(api_version, kind), namespace, name)):
            answer = self._client.request(
                "get",
                self._path(api_version, kind, namespace=namespace),
                field_selector=f"metadata.name={name}",
                watch=True,
                timeout_seconds=whole,
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, whole + _WATCH_MARGIN_SECONDS),
            )
        try:
            blocks = answer.stream(amt=None, decode_content=False)
            for line in filter(bytes.strip, bounded.lines(blocks, _EVENT_MAX)):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                yield event["type"], event["object"]
        except (HTTPError, ValueError):
            _log.debug("The watch on %s %s was cut off", kind, name)
        finally:
            answer.close()
            answer.release_conn()
        time.sleep(max(0.0, earliest_end - time.monotonic()))

    @contextmanager
    def explained(self, attempt: Attempt) -> Iterator[None]:
        """Turn what the client raises meanwhile into an error that a person can use.

        For the first seconds after a start an API server knows no roles and forbids everything; it
        is not ready then, and its word does not count.
        """
        try:
            with cluster_errors.explained(self.url, attempt):
                yield
        except cluster_errors.Forbidden as error:
            if self._is_ready():
                raise
            raise ClusterError(
                f"The API server {self.url} does not say at /readyz that it is ready, so what it "
                f"refuses may pass later: {error}",
                retryable=True,
            ) from error

    def _is_ready(self) -> bool:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            self._client.request(
                "get", "/readyz", serialize=False, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        except (ApiException, HTTPError):
            return False
        return True

    def _path(
        self, api_version: str, kind: str, *, namespace: str | None, name: str | None = None
    ) -> str:
        resource = self._client.resources.get(api_version=api_version, kind=kind)
        return str(resource.path(name=name, namespace=namespace))
