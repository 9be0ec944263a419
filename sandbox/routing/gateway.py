"""The gateway: Gateway API and Ingress, served by Contour and Envoy.

With ``SANDBOX_KUBECONFIG`` the sandbox uses that cluster's gateway, at ``SANDBOX_GATEWAY_URL``.
"""

from __future__ import annotations

import os
from typing import Any

import yaml

from sandbox.core.part import Part, SandboxError, wait_until
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes.kube import Kube, condition
from sandbox.routing import binary as gateway_binary
from sandbox.routing import contour

NAMESPACE = "gateway-system"
GATEWAY = "datafactory-gateway"
_CLASS = "contour"
_API = "/apis/gateway.networking.k8s.io/v1"
_GATEWAY_PATH = f"{_API}/namespaces/{NAMESPACE}/gateways/{GATEWAY}"
_OPEN = "keeps-the-port-open"
_OPEN_PATH = f"{_API}/namespaces/{NAMESPACE}/httproutes/{_OPEN}"
_CLASS_PATH = f"{_API}/gatewayclasses/{_CLASS}"
_PAIR = contour.Pair(
    (NAMESPACE, GATEWAY),
    range(SETTINGS.gateway_port + 1, SETTINGS.gateway_port + 1 + contour.PORTS),
)
_READY_SECONDS = 60
"""Startup takes 2 s on an idle machine and several times as long during a build."""


class Gateway(Part):
    """The Gateway ``datafactory-gateway``, which accepts HTTPRoutes of all namespaces."""

    name = "gateway"
    needs = ("cluster", "gateway-binary")

    def where(self) -> str:
        return f"{_url()} ({NAMESPACE}/{GATEWAY})"

    def exports(self) -> dict[str, str]:
        return {"GATEWAY_URL": _url()}

    def ready(self) -> str | None:
        if SETTINGS.kubeconfig:
            return _given_gateway()
        return _PAIR.failure() or _programmed() or _PAIR.ready()

    def start(self) -> None:
        if SETTINGS.kubeconfig:
            if problem := _given_gateway():
                raise SandboxError(problem)
            return
        least = contour.OFFSET
        if SETTINGS.gateway_port <= least:
            raise SandboxError(
                f"SANDBOX_GATEWAY_PORT must be above {least}, Contour's offset of ports"
            )
        kube = Kube()
        _install_kinds(kube)
        _create_gateway(kube)
        _PAIR.start()
        wait_until(_started, _READY_SECONDS, self.name)

    def stop(self) -> None:
        """Stop Contour and Envoy. The objects go with the cluster."""
        contour.stop_all()


def _url() -> str:
    given = os.environ.get("SANDBOX_GATEWAY_URL") if SETTINGS.kubeconfig else None
    return given or f"http://127.0.0.1:{SETTINGS.gateway_port}"


def _given_gateway() -> str | None:
    if not os.environ.get("SANDBOX_GATEWAY_URL"):
        return "SANDBOX_KUBECONFIG is set: set SANDBOX_GATEWAY_URL to the URL of its gateway"
    if _programmed() is not None:
        return (
            f"the cluster of SANDBOX_KUBECONFIG needs a Gateway {GATEWAY} in namespace {NAMESPACE} "
            "that is Programmed and allows routes from all namespaces"
        )
    return None


def _started() -> str | None:
    if problem := _PAIR.failure():
        raise SandboxError(problem)  # waiting does not help
    return _programmed() or _PAIR.ready()


def _programmed() -> str | None:
    try:
        gateway = Kube().get(_GATEWAY_PATH)
    except SandboxError as error:
        return str(error)
    if condition(gateway, "Programmed") == "True":
        return None
    return f"the Gateway {NAMESPACE}/{GATEWAY} is not Programmed"


def _install_kinds(kube: Kube) -> None:
    kinds: list[dict[str, Any]] = []
    for file in sorted((gateway_binary.folder() / "crds").glob("*.yaml")):
        kinds += [kind for kind in yaml.load_all(file.read_text(), yaml.CSafeLoader) if kind]
    paths = [
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind['metadata']['name']}"
        for kind in kinds
    ]
    for path, kind in zip(paths, kinds, strict=True):
        kind.pop("status", None)
        kube.apply(path, kind)

    def established() -> str | None:
        missing = [path for path in paths if condition(kube.get(path), "Established") != "True"]
        return f"{missing[0]} is not Established" if missing else None

    wait_until(established, _READY_SECONDS, "the gateway's kinds")


def _create_gateway(kube: Kube) -> None:
    kind = "gateway.networking.k8s.io/v1"
    gateway_class = {
        "apiVersion": kind,
        "kind": "GatewayClass",
        "metadata": {"name": _CLASS},
        "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    }
    gateway = {
        "apiVersion": kind,
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": _CLASS,
            "listeners": [
                {
                    "name": "http",
                    "protocol": "HTTP",
                    "port": SETTINGS.gateway_port - contour.OFFSET,
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ],
        },
    }
    kube.apply_namespace(NAMESPACE)
    kube.apply(_CLASS_PATH, gateway_class)
    kube.apply(_GATEWAY_PATH, gateway)
    # Contour sets the status of a GatewayClass only if it provisions gateways itself.
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "served by the sandbox's Contour",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    del gateway_class["spec"]
    kube.apply(f"{_CLASS_PATH}/status", {**gateway_class, "status": {"conditions": [accepted]}})
    kube.apply(_OPEN_PATH, _open_port())


def _open_port() -> dict[str, Any]:
    """A route of no service, because Envoy closes its port when the last route is deleted.

    Without it, an unknown path would refuse the connection instead of answering 404.
    """
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": _OPEN, "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"name": GATEWAY}],
            "rules": [
                {
                    "matches": [{"path": {"type": "Exact", "value": f"/{_OPEN}"}}],
                    "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
                }
            ],
        },
    }
