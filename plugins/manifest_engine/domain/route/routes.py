"""The public route of a release: an HTTPRoute of Gateway API, or an Ingress by choice."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload.resources import SERVICE_PORT

REQUEST_TIMEOUT = "60s"
"""Stated, since a gateway's own default differs from one to the next (Envoy's is 15 s)."""


def route(release: Release) -> dict[str, Any]:
    """The object that makes the service public, in the environment's kind."""
    if release.environment.routing.api == "ingress":
        return _ingress(release)
    return _http_route(release)


def _metadata(release: Release) -> dict[str, Any]:
    return {
        "name": release.name,
        "namespace": release.environment.cluster.namespace,
        "labels": label.release_labels(release),
    }


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
    # A rule whose URLRewrite replaces the prefix may have exactly one match, a PathPrefix.
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": release.route_path}}],
        "backendRefs": [
            {"group": "", "kind": "Service", "name": release.name, "port": SERVICE_PORT}
        ],
        "timeouts": {"request": REQUEST_TIMEOUT},
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
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": _metadata(release),
        "spec": spec,
    }


def _ingress(release: Release) -> dict[str, Any]:
    """For ingress-nginx, whose annotations they are: no other controller knows the rewrite."""
    routing = release.environment.routing
    assert routing.ingress is not None  # noqa: S101  (environments.yaml is checked for it)
    backend = {"service": {"name": release.name, "port": {"number": SERVICE_PORT}}}
    nginx = "nginx.ingress.kubernetes.io/"
    metadata = _metadata(release)
    if release.manifest.route.strip_prefix:
        path = {"path": f"{release.route_path}(/|$)(.*)", "pathType": "ImplementationSpecific"}
        metadata["annotations"] = {
            nginx + "use-regex": "true",
            nginx + "rewrite-target": "/$2",
            nginx + "x-forwarded-prefix": release.route_path,
        }
    else:
        path = {"path": release.route_path, "pathType": "Prefix"}
    rule: dict[str, Any] = {"http": {"paths": [path | {"backend": backend}]}}
    if routing.host:
        rule["host"] = routing.host
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"ingressClassName": routing.ingress.class_name, "rules": [rule]},
    }
