"""What pods that do not come up leave behind: events, and the end of a container's log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from manifest_engine.domain.errors import ClusterError
from manifest_engine.hooks.api_server import CONNECT_SECONDS, READ_SECONDS, Json

if TYPE_CHECKING:
    from manifest_engine.hooks.cluster import ClusterHook

_log = logging.getLogger(__name__)


def events(hook: ClusterHook, namespace: str, fields: str = "") -> list[Json]:
    """Events of a namespace; none where the account may not read them.

    :param fields: a field selector.
    """
    try:
        return hook.find("v1", "Event", namespace, fields=fields)
    except ClusterError as error:
        _log.warning("The events cannot be shown: %s", error)
        return []


def last_lines(
    hook: ClusterHook, namespace: str, pod: str, container: str, *, lines: int, previous: bool
) -> str:
    """The end of a container's log, empty when there is none to be had.

    :param previous: of the container's run before the present one.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        answer = hook.core_v1_client.read_namespaced_pod_log(
            pod,
            namespace,
            container=container,
            tail_lines=lines,
            previous=previous,
            _preload_content=False,
            _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
        )
        return bytes(answer.data).decode("utf-8", "replace")
    except (ApiException, HTTPError) as error:
        _log.debug("No log of %s/%s: %s", pod, container, error)
        return ""
