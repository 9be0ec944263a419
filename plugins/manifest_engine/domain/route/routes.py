"""The public route of a release: an HTTPRoute of Gateway API or, by choice, an Ingress."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.manifest import time_limits
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload.resources import SERVICE_PORT, metadata

KINDS = {
    "gateway": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    "ingress": ("networking.k8s.io/v1", "Ingress"),
}
"""API version and kind by ``routing.api``."""
_ENDLESS = 86_400
"""Seconds for ingress-nginx, which has no value for "no limit"."""


def route(release: Release) -> dict[str, Any]:
    """The object that makes the service public, of the kind that the environment chooses."""
    api_version, kind = KINDS[release.environment.routing.api]
    made = _ingress(release) if kind == "Ingress" else _http_route(release)
    return {"apiVersion": api_version, "kind": kind, **made}


def _http_route(release: Release) -> dict[str, Any]:
    """:source: gateway.networking.k8s.io/v1 HTTPRoute."""
    routing = release.environment.routing
    gateway = routing.gateway
    assert gateway is not None  # noqa: S101  (environments.yaml is checked for it)
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": gateway.name,
        "namespace": gateway.namespace,
    }
    if gateway.section:
        parent["sectionName"] = gateway.section
    # A rule with ReplacePrefixMatch must have exactly one match, of type PathPrefix.
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": release.route_path}}],
        "backendRefs": [
            {"group": "", "kind": "Service", "name": release.name, "port": SERVICE_PORT}
        ],
        # Set explicitly: the default differs between gateways (Envoy's is 15 s). "0s" is no limit.
        "timeouts": {"request": f"{_request_seconds(release)}s"},
    }
    if release.manifest.route.strip_prefix:
        rule["filters"] = [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {
                    "set": [{"name": "X-Forwarded-Prefix", "value": release.route_path}]
                },
            },
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
            },
        ]
    spec: dict[str, Any] = {"parentRefs": [parent], "rules": [rule]}
    if routing.host:
        spec["hostnames"] = [routing.host]
    return {"metadata": metadata(release), "spec": spec}


def _ingress(release: Release) -> dict[str, Any]:
    """The annotations are those of ingress-nginx; other controllers ignore them."""
    routing = release.environment.routing
    assert routing.ingress is not None  # noqa: S101  (environments.yaml is checked for it)
    backend = {"service": {"name": release.name, "port": {"number": SERVICE_PORT}}}
    nginx = "nginx.ingress.kubernetes.io/"
    meta = metadata(release)
    # ingress-nginx limits the pause between two reads or writes, not the whole request.
    seconds = str(_request_seconds(release) or _ENDLESS)
    meta["annotations"] = {nginx + f"proxy-{way}-timeout": seconds for way in ("read", "send")}
    if release.manifest.route.strip_prefix:
        path = {"path": f"{release.route_path}(/|$)(.*)", "pathType": "ImplementationSpecific"}
        meta["annotations"] |= {
            nginx + "use-regex": "true",
            nginx + "rewrite-target": "/$2",
            nginx + "x-forwarded-prefix": release.route_path,
        }
    else:
        path = {"path": release.route_path, "pathType": "Prefix"}
    rule: dict[str, Any] = {"http": {"paths": [path | {"backend": backend}]}}
    if routing.host:
        rule["host"] = routing.host
    spec = {"ingressClassName": routing.ingress.class_name, "rules": [rule]}
    return {"metadata": meta, "spec": spec}


def _request_seconds(release: Release) -> int:
    return time_limits.request_seconds(release.manifest, release.environment)
