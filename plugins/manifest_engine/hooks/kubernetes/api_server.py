"""The API server of one cluster: requests by kind, watches, and errors as sentences."""

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
"""Limit for a single request; a watch has its own time limit."""
_WATCH_MARGIN_SECONDS = 10.0
_ANSWER_MAX = 64 << 20
"""Bytes of one answer; enough for a list of about ten thousand objects."""
_EVENT_MAX = 4 << 20
"""Bytes of one event of a watch; etcd accepts objects of up to 1.5 MiB."""
_RETRIES = 3
"""The default of urllib3."""
SHORTEST_WATCH_SECONDS = 1.0
"""Minimum duration of a watch: callers repeat a watch that the API server ends at once."""
_log = logging.getLogger(__name__)

Json = dict[str, Any]


class _ReadOnce(Retry):
    """Retries failed connections, but not an answer that did not come in time.

    The client's default retries wait up to four times, so READ_SECONDS would not be a limit.
    """

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        error = kwargs.get("error")
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(*args, **kwargs)


class _DropRetryLines(logging.Filter):
    """Drops urllib3's log lines for our retries, since our error reports an unreachable server."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(isinstance(argument, _ReadOnce) for argument in record.args or ())


_DROP_RETRY_LINES = _DropRetryLines()


def reading_once(client: ApiClient) -> ApiClient:
    """Configure a client before its first request, so that no request waits for an answer twice."""
    logging.getLogger("urllib3.connectionpool").addFilter(_DROP_RETRY_LINES)
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
        body: Mapping[str, Any] | list[Json] | bytes | None = None,
        **parameters: Any,
    ) -> Json:
        """Send one request and return the answer.

        :param method: HTTP method in lower case.
        :param namespace: None for all namespaces.
        :param name: None for the whole collection.
        :param verb: the verb in RBAC, if it differs from the method.
        :param parameters: query parameters by the client's names; None omits a parameter.
        :raises ClusterError: or a subclass, with the reason and the remedy.
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
            text = answer.read(_ANSWER_MAX + 1, decode_content=True)
        if len(text) > _ANSWER_MAX:
            raise ClusterError(
                f"The API server {self.url} was asked to {attempt} and answers more than "
                f"{_ANSWER_MAX >> 20} MiB; delete old objects of that kind there."
            )
        try:
            return cast("Json", json.loads(text))
        except ValueError as error:
            raise ClusterError(
                f"The API server {self.url} was asked to {attempt} and its answer is no JSON, or "
                f"broke off ({error}); look at the proxy before it, if there is one.",
                retryable=True,
            ) from error

    def user_name(self) -> str:
        """Our name at the API server; every authenticated account may ask for its own name."""
        version, kind = "authentication.k8s.io/v1", "SelfSubjectReview"
        body = {"apiVersion": version, "kind": kind}
        answer = self.request("post", version, kind, namespace=None, verb="create", body=body)
        return str(answer["status"]["userInfo"]["username"])

    def version(self) -> str:
        """Version of the API server, such as ``v1.36.1``.

        :raises ClusterError: when a hardened cluster refuses the path ``/version``.
        """
        from kubernetes.client import ApiException

        timeout = (CONNECT_SECONDS, READ_SECONDS)
        try:
            answer = self._client.request(
                "get", "/version", serialize=False, _request_timeout=timeout
            )
        except ApiException as error:
            raise ClusterError(
                f"{self.url} does not show its version (HTTP {error.status})."
            ) from None
        return str(json.loads(answer.data)["gitVersion"])

    def allows(self, review: Json) -> bool:
        """Whether our account has the right that a SelfSubjectAccessReview names."""
        version, kind = review["apiVersion"], review["kind"]
        answer = self.request("post", version, kind, namespace=None, verb="create", body=review)
        return bool(answer["status"]["allowed"])

    def watch(
        self, api_version: str, kind: str, name: str, namespace: str, *, seconds: float
    ) -> Iterator[tuple[str, Json]]:
        """Yield event types and states of one object, beginning with the current state.

        The type is ADDED, MODIFIED or DELETED. The watch ends early when the API server ends it or
        the connection breaks; the caller can then watch again.

        :param seconds: duration of the watch.
        :raises ClusterError: when the API server refuses the watch.
        """
        from urllib3.exceptions import HTTPError

        earliest_end = time.monotonic() + min(seconds, SHORTEST_WATCH_SECONDS)
        timeout = max(1, round(seconds))
        with self.explained(Attempt("watch", rbac_name(api_version, kind), namespace, name)):
            answer = self._client.request(
                "get",
                self._path(api_version, kind, namespace=namespace),
                field_selector=f"metadata.name={name}",
                watch=True,
                timeout_seconds=timeout,
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, timeout + _WATCH_MARGIN_SECONDS),
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
        """Turn the client's errors in this block into ClusterError or a subclass.

        In the first seconds after its start an API server has loaded no roles and forbids every
        request, so a refusal is retryable while the server is not ready.
        """
        try:
            with cluster_errors.explained(self.url, attempt):
                yield
        except cluster_errors.Forbidden as error:
            if self._is_ready():
                raise
            raise ClusterError(
                f"The API server {self.url} does not report at /readyz that it is ready, so a "
                f"retry may succeed: {error}",
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
