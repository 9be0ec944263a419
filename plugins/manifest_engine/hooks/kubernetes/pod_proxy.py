"""HTTP requests to a pod's own address, through the API server's pod proxy.

The right ``get pods/proxy`` is needed. A worker need not reach the pod network.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.smoke import answer as answers
from manifest_engine.domain.smoke.answer import Answer, Request
from manifest_engine.domain.workload import refusals
from manifest_engine.hooks.kubernetes.api_server import CONNECT_SECONDS, Json

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

BODY_MAX = 1 << 20
"""The limit of ``hooks.route.public_url``: both search the same part of the body."""
_CHUNK = 16 << 10
_REFUSALS = {
    401: '"kind":"Status","apiVersion":"v1"',
    403: 'cannot get resource \\"pods/proxy\\"',
    404: '"kind":"pods"},"code":404}',
}
"""Text of the API server's own refusals by status; every other answer is the service's."""
_AGENT = "kube-probe/manifest-engine"
"""Services that leave probes out of their logs look for ``kube-probe``."""


def get(hook: ClusterHook, pod: Json, request: Request, *, tls: bool = False) -> Answer:
    """Send one GET as the kubelet sends it. Redirects are not followed.

    A redirect may lead anywhere, and to the API server it would carry our token.

    :param pod: a running pod, with its address in the status.
    :param tls: speak TLS to the pod, without a check of its certificate.
    :raises ClusterError: when the API server refuses the request, or cannot be reached.
    """
    from kubernetes.client import ApiException
    from urllib3 import Timeout
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    headers = {"Host": f"{host}:{request.port}", "User-Agent": _AGENT, "Accept": "*/*"}
    target = f"{'https:' if tls else ''}{name}:{request.port}"
    prefix = f"/api/v1/namespaces/{namespace}/pods/{target}/proxy"
    client = hook.api_client
    with hook.api.explained(refusals.Attempt("get", "pods/proxy", namespace, name)):
        client.update_params_for_auth(headers, [], ["BearerToken"])
        try:
            found = client.rest_client.pool_manager.request(
                "GET",
                client.configuration.host + prefix + request.path,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=CONNECT_SECONDS, read=request.seconds),
            )
        except ReadTimeoutError:
            return Answer(None, problem=f"no answer in {request.seconds:g} s", timed_out=True)
        try:
            body = _body(found, request.seconds)
        except (ReadTimeoutError, ProtocolError):
            return Answer(None, problem="its answer breaks off (unexpected EOF)")
        if found.status in _REFUSALS and _REFUSALS[found.status] in body:
            error = ApiException(status=found.status)
            error.body = body
            raise error
    lower = {key.lower(): value for key, value in found.headers.items()}
    return answers.through_proxy(found.status, lower, body, prefix)


def _body(found: Any, seconds: float) -> str:
    """The beginning of the body, as far as it comes in time."""
    end = time.monotonic() + seconds
    read = bytearray()
    try:
        for chunk in found.stream(_CHUNK, decode_content=True):
            read += chunk
            if len(read) >= BODY_MAX or time.monotonic() > end:
                found.close()
                break
    finally:
        found.release_conn()
    return bytes(read[:BODY_MAX]).decode("utf-8", "replace")
