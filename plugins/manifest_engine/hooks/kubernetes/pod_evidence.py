"""Events and container logs of pods, to explain a failure."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload import service_log
from manifest_engine.hooks.core import bounded
from manifest_engine.hooks.kubernetes.api_server import CONNECT_SECONDS, READ_SECONDS, Json

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_LINES_READ = 2_000
"""Number of lines to read: more than the access log of ten minutes of probes has."""
_log = logging.getLogger(__name__)


def events(hook: ClusterHook, namespace: str, fields: str = "") -> list[Json]:
    """Events of a namespace; empty if the account may not read them.

    :param fields: a field selector.
    """
    try:
        return hook.find("v1", "Event", namespace, fields=fields)
    except ClusterError as error:
        _log.warning("The events cannot be shown: %s", error)
        return []


def last_lines(
    hook: ClusterHook,
    namespace: str,
    pod: str,
    container: str,
    *,
    lines: int,
    previous: bool = False,
) -> str:
    """The last lines of a container's log without its access log, printable.

    Empty if the log cannot be read.

    :param previous: read the log of the container before its last restart.
    """
    which = {"tail_lines": _LINES_READ, "previous": previous}
    log = _log_of(hook, namespace, pod, container, READ_SECONDS, **which)
    return "\n".join(service_log.last_lines(map(printable.line, bounded.lines(log)), lines))


def _log_of(
    hook: ClusterHook, namespace: str, pod: str, container: str, seconds: float, **which: Any
) -> Generator[bytes]:
    """Yield chunks of a container's log, up to its end or the first error.

    :param seconds: how long to wait for a chunk.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        answer = hook.core_v1_client.read_namespaced_pod_log(
            pod,
            namespace,
            container=container,
            **which,
            _preload_content=False,
            _request_timeout=(CONNECT_SECONDS, seconds),
        )
        with answer:
            yield from answer.stream()
    except (ApiException, HTTPError) as error:
        _log.debug("No log of %s/%s: %s", pod, container, error)
