"""Explain an API server's error response. Its body is a ``metav1.Status``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.core import printable

_OWNER = re.compile(r'conflict with "(?P<manager>[^"]+)"(?: with subresource "(?P<sub>[^"]+)")?')
_MISSING_NAMESPACE = re.compile(r'namespaces "(?P<name>[^"]+)" not found')
_NOT_ALLOWED = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
)
"""A server-side apply needs two verbs; the message names the missing verb."""
_POLICY = re.compile(r"ValidatingAdmissionPolicy '|admission webhook \S+ denied the request")
"""Recognised by message, as the status varies: a ValidatingAdmissionPolicy's default is 422."""
_REMEDIES = (
    (
        re.compile(r"violates PodSecurity"),
        "The namespace enforces a Pod Security level. If the message names runAsNonRoot, give the "
        "image a numeric USER other than 0 in its Dockerfile. Otherwise an administrator can lower "
        "the label pod-security.kubernetes.io/enforce of the namespace.",
    ),
    (
        re.compile(r"(minimum|maximum) [\w./-]+ usage per |limit to request ratio per "),
        "A LimitRange of the namespace sets the bounds (kubectl get limitrange): change "
        "resources.requests and resources.limits in the manifest to fit.",
    ),
    (
        re.compile(r"exceeded quota"),
        "Ask for less in resources or replicas, or raise the quota.",
    ),
    (
        re.compile(r"serviceaccount \S+ not found|error looking up service account"),
        "Create the ServiceAccount, or correct cluster.serviceAccount in environments.yaml.",
    ),
)
"""Patterns of messages and what to do. Sources: k8s.io/pod-security-admission, and the plugins
limitranger, resourcequota and serviceaccount of kube-apiserver."""
_FINAL = re.compile(r"denied|violates PodSecurity| usage per |limit to request ratio per ")
_QUOTA = "exceeded quota"
_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses of an API server that is starting, overloaded or behind a failing proxy."""


@dataclass(frozen=True)
class Attempt:
    """A request to the API server."""

    verb: str
    """RBAC verb: get, list, watch, create, patch, delete."""
    resource: str
    """RBAC resource with its group: ``deployments.apps``."""
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        thing = f"{self.resource} {self.name!r}" if self.name else self.resource
        where = f" in namespace {self.namespace!r}" if self.namespace else ""
        return f"{self.verb} {thing}{where}"


@dataclass(frozen=True)
class Refusal:
    """Why a request failed, and whether the same request can succeed later."""

    sentence: str
    retryable: bool
    reason: str = ""


def read_status(body: str | bytes | None) -> dict[str, Any]:
    """The ``metav1.Status`` in a response body; empty when the body is something else."""
    try:
        found = json.loads(body or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def conflicts(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Field manager and field of each ownership conflict of a server-side apply."""
    causes = (status.get("details") or {}).get("causes") or []
    found = []
    for cause in causes:
        if cause.get("reason") == "FieldManagerConflict":
            owner = _OWNER.search(cause.get("message", ""))
            found.append((owner["manager"] if owner else "?", cause.get("field", "?")))
    return found


def explain(http_status: int, body: str | bytes | None, attempt: Attempt) -> Refusal:
    """Why the API server refused ``attempt``, and what to do."""
    status = read_status(body)
    message = str(status.get("message") or "").strip() or f"HTTP {http_status}"
    if owned := conflicts(status):
        return _ownership(attempt, owned)
    if http_status == 401:
        return Refusal(
            f"The API server does not accept the credentials of the connection ({message}); "
            "renew them.",
            retryable=False,
            reason="Unauthorized",
        )
    if 400 <= http_status < 500 and _POLICY.search(message):
        return _admission(attempt, message)
    if http_status == 403:
        return _forbidden(attempt, message)
    if http_status == 404 and not (status.get("details") or {}).get("kind"):
        return Refusal(
            f"The cluster does not know {attempt.resource}; install the custom resource "
            "definitions that bring it, or choose another routing.api in environments.yaml.",
            retryable=False,
            reason="NoSuchKind",
        )
    missing = _MISSING_NAMESPACE.search(message) if http_status == 404 else None
    if missing:
        return Refusal(
            f"The namespace {missing['name']!r} does not exist in the cluster; create it, or "
            "correct cluster.namespace in environments.yaml.",
            retryable=False,
            reason="NoNamespace",
        )
    if http_status == 422 and "field is immutable" in message:
        return Refusal(
            f"Could not {attempt}: a field is immutable ({_first(message)}). Remove the object "
            "(its pods go with it) and deploy again.",
            retryable=False,
            reason="Immutable",
        )
    return Refusal(
        f"Could not {attempt}: {_first(message)}.".replace("..", "."),
        retryable=http_status in _RETRYABLE,
        reason=str(status.get("reason") or ""),
    )


def unreachable_advice(server: str) -> str:
    """What to do when no connection to the API server comes about.

    :param server: its URL. That of a private AKS cluster is ``….privatelink.REGION.azmk8s.io``
        (learn.microsoft.com, aks/private-clusters, read 2026-11).
    """
    if ".privatelink." in server:
        return (
            "the cluster is private: this worker needs a network that reaches its private endpoint "
            "and the private DNS zone, or private_fqdn or proxy_url in the aks Connection"
        )
    return "check that the cluster runs and that this worker may reach it"


def _ownership(attempt: Attempt, owned: list[tuple[str, str]]) -> Refusal:
    by_manager: dict[str, list[str]] = {}
    for manager, field in owned:
        by_manager.setdefault(manager, []).append(field)
    owners = "; ".join(f"{manager!r} owns {', '.join(of)}" for manager, of in by_manager.items())
    return Refusal(
        f"Could not apply {attempt.resource} {attempt.name!r}: {owners}. The object was changed "
        "just now; look who changes it.",
        retryable=True,
        reason="FieldManagerConflict",
    )


def _forbidden(attempt: Attempt, message: str) -> Refusal:
    if _QUOTA in message:
        return Refusal(
            f"The namespace's quota does not allow it: {_first(message)}. Ask for less in "
            "resources, or raise the quota.",
            retryable=True,
            reason="Quota",
        )
    if denied := _NOT_ALLOWED.search(message):
        verb, group = denied["verb"], denied["group"]
        resource = f"{denied['resource']}.{group}" if group else denied["resource"]
        return Refusal(
            f"The connection's account may not {verb} {resource} in namespace "
            f"{attempt.namespace!r} ({_first(message)}). Bind it to a Role with verb "
            f"{verb!r} on {resource!r}.",
            retryable=False,
            reason="Forbidden",
        )
    if "is being terminated" in message:
        return Refusal(
            f"The namespace {attempt.namespace!r} is being deleted, so nothing can be created "
            "in it.",
            retryable=False,
            reason="NamespaceTerminating",
        )
    return _admission(attempt, message)


def _admission(attempt: Attempt, message: str) -> Refusal:
    return Refusal(
        f"The cluster's admission refused to {attempt}: {_first(message)}. {remedy(message)}",
        retryable=False,
        reason="Admission",
    )


def is_final(message: str) -> bool:
    """Whether the admission refuses each later pod of the same template as well."""
    return bool(_FINAL.search(message))


def remedy(message: str) -> str:
    """What to do about a pod or another object that the cluster's admission refuses.

    :param message: the API server's message.
    """
    return next(
        (advice for pattern, advice in _REMEDIES if pattern.search(message)),
        "Change what the manifest asks for, or ask whoever keeps the policy.",
    )


def _first(message: str) -> str:
    """One line of bounded length, without a period at the end."""
    return printable.excerpt(message, 600).rstrip(".")
