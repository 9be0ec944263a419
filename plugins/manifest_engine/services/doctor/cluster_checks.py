"""The checks of the cluster: rights, admission, pull secrets, and the public route."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from manifest_engine.domain.core.errors import ClusterError, ConfigurationError, RouteConflict
from manifest_engine.domain.doctor import rights
from manifest_engine.domain.doctor.finding import NotNeeded
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release
from manifest_engine.domain.route import status as route_status
from manifest_engine.hooks.core.connections import kind_of
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.errors import Forbidden, NotFound
from manifest_engine.services.doctor.examination import Check

if TYPE_CHECKING:
    from manifest_engine.domain.environment.environment import Environment

_DIGEST = "sha256:" + "0" * 64
_GATEWAY = "gateway.networking.k8s.io/v1", "Gateway"
_INGRESS_CLASS = "networking.k8s.io/v1", "IngressClass"
_log = logging.getLogger(__name__)


def of(name: str, environment: Environment, sample: tuple[str, str]) -> dict[str, Sequence[Check]]:
    """The checks of the cluster and of the route.

    :param name: name of the environment.
    :param sample: component and service of a release that is only used for dry runs.
    """
    conn_id = environment.cluster.connection
    cluster = _Cluster(name, environment, sample)
    part = f"cluster {conn_id}"
    checks = [
        Check(
            "Connection", lambda: f"Has type {kind_of(conn_id, 'kubernetes', 'aks')}.", gate=True
        ),
        Check("API server", cluster.answers, gate=True),
        Check("version", cluster.version),
        *(Check(f"role {role}", partial(cluster.role, role)) for role in cluster.rights),
        Check("admission", cluster.admits_sample),
    ]
    for secret in environment.cluster.image_pull_secrets:
        checks.append(Check(f"pull secret {secret}", partial(cluster.pull_secret, secret)))
    route = Check("Gateway", cluster.gateway)
    if environment.routing.api == "ingress":
        route = Check("IngressClass", cluster.ingress_class)
    return {part: checks, "route": [route, Check("public URL", cluster.public_url)]}


class _Cluster:
    def __init__(self, name: str, environment: Environment, sample: tuple[str, str]) -> None:
        self._name, self._environment, self._sample = name, environment, sample
        self.rights = rights.of_roles(_roles(), environment)

    @cached_property
    def _hook(self) -> ClusterHook:
        return ClusterHook(self._environment.cluster.connection)

    def answers(self) -> str:
        api = self._hook.api
        return f"{api.url} accepts this identity as {api.user_name()}."

    def version(self) -> str:
        """:raises NotNeeded: when the cluster does not show its version."""
        try:
            return f"Kubernetes {self._hook.api.version()}"
        except ClusterError as error:
            raise NotNeeded(str(error)) from error

    def role(self, role: str) -> str:
        """Ask for each right of a role.

        :raises ClusterError: naming the missing required rights.
        :raises NotNeeded: naming the missing optional rights.
        """
        api, namespace = self._hook.api, self._environment.cluster.namespace
        asked = self.rights[role]
        missing = [right for right in asked if not api.allows(right.review())]
        if not missing:
            return f"All {len(asked)} rights."
        required = [right for right in missing if right.required]
        sentence = rights.remedy(role, required or missing, api.user_name(), namespace)
        raise ClusterError(sentence) if required else NotNeeded(sentence)

    def admits_sample(self) -> str:
        """Send the objects of a release as dry runs: namespace, kinds, quota and policies."""
        from manifest_engine.hooks.registry.acr import AcrHook
        from manifest_engine.services.dry_run import dry_run
        from manifest_engine.services.dry_run.cluster import DryRunHook

        component, service = self._sample
        planned = release.plan(
            manifest.parse(
                {
                    "component": component,
                    "serviceName": service,
                    "version": "1",
                    "environment": self._name,
                }
            ),
            self._environment,
            login_server=AcrHook(self._environment.registry.connection).login_server,
            run_id="check_installation",
            requested_at=datetime.now(UTC),
            requested_by="check_installation",
        )
        hook = DryRunHook(self._environment.cluster.connection)
        dry_run.in_cluster(planned, hook, _DIGEST, {"sha256": "0" * 64}, _log)
        kinds = ", ".join(change.kind for change in hook.changes)
        return f"The API server admits a sample release as a dry run: {kinds}."

    def pull_secret(self, name: str) -> str:
        """:raises NotNeeded: always, since the role does not read Secrets."""
        namespace = self._environment.cluster.namespace
        raise NotNeeded(
            "The role does not read Secrets; check it with "
            f"'kubectl get secret {name} -n {namespace}' (type kubernetes.io/dockerconfigjson)."
        )

    def gateway(self) -> str:
        """:raises RouteConflict: when the Gateway does not serve this environment."""
        routing = self._environment.routing
        gateway = routing.gateway
        assert gateway is not None  # noqa: S101  (environments.yaml requires it)
        try:
            found = self._hook.get(*_GATEWAY, gateway.name, gateway.namespace)
        except Forbidden as error:
            raise NotNeeded(str(error)) from error
        host = routing.host or urlsplit(routing.url).hostname or ""
        namespace = self._environment.cluster.namespace
        problem = route_status.diagnosis(found, gateway, host, namespace)
        if problem or found is None:
            raise RouteConflict(
                f"{problem[0].upper()}{problem[1:]}; see install.md, section Cluster, and correct "
                "the Gateway or routing in environments.yaml."
            )
        class_name = found["spec"].get("gatewayClassName")
        return f"{gateway.namespace}/{gateway.name} of class {class_name} is programmed."

    def ingress_class(self) -> str:
        """:raises RouteConflict: when the IngressClass does not exist."""
        ingress = self._environment.routing.ingress
        assert ingress is not None  # noqa: S101  (environments.yaml requires it)
        try:
            found: Any = self._hook.api.request(
                "get", *_INGRESS_CLASS, namespace=None, name=ingress.class_name
            )
        except Forbidden as error:
            raise NotNeeded(
                "The role does not read IngressClasses; check it with "
                f"'kubectl get ingressclass {ingress.class_name}'."
            ) from error
        except NotFound:
            raise RouteConflict(
                f"The cluster has no IngressClass {ingress.class_name!r}; install its controller, "
                "or correct routing.ingress.className in environments.yaml."
            ) from None
        return f"{ingress.class_name} is served by {found['spec'].get('controller')}."

    def public_url(self) -> str:
        """:raises ConfigurationError: when the certificate of the URL is not valid here."""
        from manifest_engine.hooks.route import public_url

        url = self._environment.routing.url
        answer = public_url.get(url)
        if answer.status is not None:
            return f"{url} answers HTTP {answer.status}."
        if answer.misconfigured:
            raise ConfigurationError(f"{url} cannot be used: {answer.problem}.")
        raise NotNeeded(
            f"{url} does not answer ({answer.problem}). Some gateways listen only when they have a "
            "route; else check routing.url, its name in DNS, and firewalls."
        )


def _roles() -> list[dict[str, Any]]:
    path = environments.INCLUDE / "rbac.yaml"
    try:
        return [role for role in yaml.safe_load_all(path.read_text()) if role]
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}), so the rights in the cluster are not "
            "known; put include/ of the package there."
        ) from error
