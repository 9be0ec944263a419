"""The way in from outside: Gateway API served by Contour and Envoy, as processes of the machine.

Envoy is bound to loopback and reaches the pods over their bridge. With ``SANDBOX_KUBECONFIG`` that
cluster's own gateway is used, and ``SANDBOX_GATEWAY_URL`` says where it listens.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import yaml

from sandbox import gateway_binary, mounts, process
from sandbox.kube import Kube, condition, kubeconfig
from sandbox.part import Part, SandboxError, wait_until
from sandbox.process import run
from sandbox.settings import SETTINGS

NAMESPACE = "gateway-system"
GATEWAY = "datafactory-gateway"
_CLASS = "contour"
_API = "/apis/gateway.networking.k8s.io/v1"
_GATEWAY_PATH = f"{_API}/namespaces/{NAMESPACE}/gateways/{GATEWAY}"
_OPEN = "keeps-the-port-open"
_OPEN_PATH = f"{_API}/namespaces/{NAMESPACE}/httproutes/{_OPEN}"
_CLASS_PATH = f"{_API}/gatewayclasses/{_CLASS}"
_HOME = SETTINGS.state / "gateway"
_ADMIN = _HOME / "envoy-admin.sock"
_OFFSET = 8000
"""Contour has Envoy listen at the listener's port plus this."""
_XDS, _HEALTH, _METRICS, _DEBUG, _STATS, _ENVOY_ADMIN = range(
    SETTINGS.gateway_port + 1, SETTINGS.gateway_port + 7
)
_GRACE_SECONDS = 0.5
"""Nothing that they hold is kept."""
_READY_SECONDS = 60
"""It takes 2 s on an idle machine and several times that beside a build."""


class Gateway(Part):
    """Gateway ``datafactory-gateway``, which takes HTTPRoutes of every namespace."""

    name = "gateway"
    needs = ("cluster", "gateway-binary")

    def where(self) -> str:
        return f"{_url()} ({NAMESPACE}/{GATEWAY})"

    def exports(self) -> dict[str, str]:
        return {"GATEWAY_URL": _url()}

    def ready(self) -> str | None:
        if SETTINGS.kubeconfig:
            return _given_gateway()
        return _dead() or _programmed() or _envoy_ready()

    def start(self) -> None:
        if SETTINGS.kubeconfig:
            if problem := _given_gateway():
                raise SandboxError(problem)
            return
        if SETTINGS.gateway_port <= _OFFSET:
            raise SandboxError(f"SANDBOX_GATEWAY_PORT must be above {_OFFSET}, as Contour has it")
        _HOME.mkdir(parents=True, exist_ok=True)
        kube = Kube()
        _install_kinds(kube)
        _create_gateway(kube)
        _start_contour()
        _start_envoy()
        wait_until(_started, _READY_SECONDS, self.name)

    def stop(self) -> None:
        """The objects in the cluster go with the cluster."""
        for name in ("envoy", "contour"):
            process.stop(name, grace=_GRACE_SECONDS)
        mounts.remove(_HOME)


def _url() -> str:
    given = os.environ.get("SANDBOX_GATEWAY_URL") if SETTINGS.kubeconfig else None
    return given or f"http://127.0.0.1:{SETTINGS.gateway_port}"


def _given_gateway() -> str | None:
    if not os.environ.get("SANDBOX_GATEWAY_URL"):
        return "SANDBOX_KUBECONFIG is set: say in SANDBOX_GATEWAY_URL where its gateway listens"
    if _programmed() is not None:
        return (
            f"the cluster of SANDBOX_KUBECONFIG needs a Gateway {GATEWAY} in namespace {NAMESPACE} "
            "that is Programmed and allows routes from all namespaces"
        )
    return None


def _dead() -> str | None:
    return process.require_alive("contour") or process.require_alive("envoy")


def _started() -> str | None:
    if problem := _dead():
        raise SandboxError(problem)  # there is nothing to wait for
    return _programmed() or _envoy_ready()


def _programmed() -> str | None:
    try:
        gateway = Kube().get(_GATEWAY_PATH)
    except SandboxError as error:
        return str(error)
    if condition(gateway, "Programmed") == "True":
        return None
    return f"the Gateway {NAMESPACE}/{GATEWAY} is not Programmed"


def _envoy_ready() -> str | None:
    """Envoy opens its port with the first route only, so its admin socket is asked instead."""
    try:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(2)
            admin.connect(str(_ADMIN))
            admin.sendall(b"GET /ready HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n")
            answer = admin.recv(64)
    except OSError as error:
        return f"envoy's admin socket: {error}"
    return None if b" 200 " in answer else "envoy has not got its configuration yet"


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
                    "port": SETTINGS.gateway_port - _OFFSET,
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ],
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kube.apply(f"/api/v1/namespaces/{NAMESPACE}", namespace)
    kube.apply(_CLASS_PATH, gateway_class)
    kube.apply(_GATEWAY_PATH, gateway)
    # Contour fills in a class's status only when it provisions gateways itself.
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
    """A route that no service owns: Envoy closes its port when the last route goes.

    Then a path without a service would refuse the connection instead of answering 404.
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


def _start_contour() -> None:
    config = _HOME / "contour.yaml"
    config.write_text(
        json.dumps(  # JSON is YAML
            {
                "gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": GATEWAY}},
                "network": {"admin-port": _ENVOY_ADMIN},
            }
        )
    )
    addresses = ("xds", "health", "http", "debug-http", "stats", "envoy-service-http")
    # Kinds that are not installed: Contour ends when it cannot watch them.
    without = ("tlsroutes", "tcproutes", "backendtlspolicies", "extensionservices")
    process.start(
        "contour",
        [
            gateway_binary.folder() / "contour",
            "serve",
            f"--kubeconfig={kubeconfig()}",
            f"--config-path={config}",
            "--insecure",  # between two processes on loopback
            "--disable-leader-election",
            "--ingress-status-address=127.0.0.1",
            *(f"--{name}-address=127.0.0.1" for name in addresses),
            f"--xds-port={_XDS}",
            f"--health-port={_HEALTH}",
            f"--http-port={_METRICS}",
            f"--debug-http-port={_DEBUG}",
            f"--stats-port={_STATS}",
            *(f"--disable-feature={name}" for name in without),
        ],
    )


def _start_envoy() -> None:
    start_file = _HOME / "envoy.json"
    contour = gateway_binary.folder() / "contour"
    run(
        [contour, "bootstrap", "--xds-address=127.0.0.1", f"--xds-port={_XDS}",
         f"--namespace={NAMESPACE}", f"--admin-address={_ADMIN}", start_file],
        what="contour bootstrap",
    )  # fmt: skip
    process.start(
        "envoy",
        [
            gateway_binary.folder() / "envoy",
            "--disable-hot-restart",  # else it ends with the process that started it
            *("--config-path", start_file),
            *("--service-cluster", NAMESPACE),
            *("--service-node", "sandbox"),
            *("--concurrency", "2"),  # worker threads; more is for more traffic
            *("--log-level", "warning"),
        ],
    )
