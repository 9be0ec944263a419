"""A second Gateway in the cluster, with HTTPS and its own Contour and Envoy."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sandbox.core import pki
from sandbox.core.part import SandboxError, wait_until
from sandbox.routing import contour

DOMAIN = "gw.test"
SHOP = f"shop.{DOMAIN}"
"""The host that the certificate names."""
_READY_SECONDS = 60


@dataclass(frozen=True)
class SecondGateway:
    """Names of the Gateway and addresses of its listeners on loopback."""

    namespace: str
    name: str
    http: int
    https: int

    def block(self, section: str | None = None) -> dict[str, Any]:
        """``routing.gateway`` of an environment."""
        return {"name": self.name, "namespace": self.namespace, "section": section}


@contextmanager
def second_gateway(kube: Callable[..., str]) -> Iterator[SecondGateway]:
    """Listeners: ``http`` for all hosts, ``https`` for the domain, ``closed`` for no namespace."""
    namespace = f"gw-{uuid4().hex[:8]}"
    http, https, *others = _free_ports(2 + contour.PORTS)
    made = SecondGateway(namespace, "shop", http, https)
    pair = contour.Pair((namespace, made.name), others, f"-{namespace}", namespace)
    kube("create", "namespace", namespace)
    try:
        pem = pki.issue("second-gateway", common_name=SHOP, addresses=[SHOP])
        files = f"--cert={pem.certificate}", f"--key={pem.key}"
        kube("create", "secret", "tls", "shop", "-n", namespace, *files)
        kube("apply", "-f", "-", given=json.dumps(_gateway(made)))
        kube("apply", "-f", "-", given=json.dumps(_open(made)))
        pair.start()

        def ready() -> str | None:
            if problem := pair.failure():
                raise SandboxError(problem)
            return pair.ready()

        wait_until(ready, _READY_SECONDS, "the second gateway")
        # The Gateway as a whole is not Programmed, since one listener is broken on purpose.
        state = '{.status.listeners[?(@.name=="https")].conditions[?(@.type=="Programmed")].status}'
        for_it = f"--for=jsonpath={state}=True", f"--timeout={_READY_SECONDS}s"
        kube("wait", f"gateway/{made.name}", "-n", namespace, *for_it)
        yield made
    finally:
        pair.stop()
        kube("delete", "namespace", namespace, "--wait=false")


def _gateway(made: SecondGateway) -> dict[str, Any]:
    everybody = {"namespaces": {"from": "All"}}
    http, https = made.http - contour.OFFSET, made.https - contour.OFFSET
    certificate = {"mode": "Terminate", "certificateRefs": [{"name": "shop"}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": made.name, "namespace": made.namespace},
        "spec": {
            "gatewayClassName": "contour",
            "listeners": [
                {"name": "http", "protocol": "HTTP", "port": http, "allowedRoutes": everybody},
                {
                    "name": "https",
                    "protocol": "HTTPS",
                    "port": https,
                    "hostname": f"*.{DOMAIN}",
                    "tls": certificate,
                    "allowedRoutes": everybody,
                },
                {
                    "name": "closed",
                    "protocol": "HTTP",
                    "port": http,
                    "hostname": f"closed.{DOMAIN}",
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                },
                {
                    "name": "broken",
                    "protocol": "HTTPS",
                    "port": https,
                    "hostname": f"broken.{DOMAIN}",
                    "tls": {"mode": "Terminate", "certificateRefs": [{"name": "absent"}]},
                    "allowedRoutes": everybody,
                },
            ],
        },
    }


def _open(made: SecondGateway) -> dict[str, Any]:
    """Create a route for both listeners, because Envoy closes a port without routes."""
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "keeps-the-ports-open", "namespace": made.namespace},
        "spec": {
            "parentRefs": [{"name": made.name}],
            "rules": [
                {
                    "matches": [{"path": {"type": "Exact", "value": "/keeps-the-ports-open"}}],
                    "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
                }
            ],
        },
    }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
