"""The Kubernetes cluster of an environment: server-side apply, reading, watching, and its errors.

Built on the provider's hook, so every form of its ``kubernetes`` connection works, and the pod
operator of the smoke test can use this hook too. A connection of type ``aks`` leads to its cluster
by way of :mod:`manifest_engine.hooks.aks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

from manifest_engine.domain import refusals
from manifest_engine.domain.errors import ClusterError, ConfigurationError
from manifest_engine.domain.marks import MANAGER
from manifest_engine.hooks import cluster_errors
from manifest_engine.hooks.api_kinds import KnownKinds, rbac_name
from manifest_engine.hooks.cluster_errors import NotFound

if TYPE_CHECKING:
    from airflow.sdk import Connection

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
"""A single request is given this long; longer waits are watches with a time of their own."""
PAGE = 500
"""Objects per answer, as kubectl has it."""
_WATCH_MARGIN_SECONDS = 10.0

Json = dict[str, Any]


class ClusterHook(KubernetesHook):
    """One cluster, by its Airflow Connection.

    :param conn_id: a connection of type ``kubernetes`` or ``aks``.
    :param connection: the connection itself, where it has been read already (in the triggerer).
    """

    hook_name = "Manifest Engine cluster"

    def __init__(self, conn_id: str, *, connection: Connection | None = None) -> None:
        super().__init__(conn_id=conn_id)
        self._given = connection

    @cached_property
    def _connection(self) -> Any:
        return self._given or self.get_connection(cast("str", self.conn_id))

    @cached_property
    def connection(self) -> Connection:
        """The Airflow Connection; read once."""
        return self._connection or self.get_connection(cast("str", self.conn_id))

    @cached_property
    def conn_extras(self) -> Any:
        """The connection's extra fields."""
        return self.connection.extra_dejson

    def get_conn(self) -> Any:
        """An authenticated ``kubernetes.client.ApiClient``.

        :raises ConfigurationError: when the connection does not lead to a cluster.
        """
        if self.connection.conn_type == "aks":
            from manifest_engine.hooks.aks import AksHook

            self._is_in_cluster = False
            return AksHook(cast("str", self.conn_id), connection=self.connection).get_conn()
        from kubernetes.config import ConfigException

        try:
            return super().get_conn()
        except (ConfigException, OSError) as error:
            raise ConfigurationError(
                f"The connection {self.conn_id!r} does not lead to a cluster: {error}. Set "
                "kube_config, kube_config_path or in_cluster in it."
            ) from error

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self.api_client.configuration.host)

    @cached_property
    def dynamic(self) -> Any:
        """The dynamic client, for the kinds that we know."""
        from kubernetes.dynamic import DynamicClient

        return DynamicClient(self.api_client, discoverer=KnownKinds)

    def apply(
        self, an_object: Json, *, force: bool = False, manager: str = MANAGER, dry_run: bool = False
    ) -> Json:
        """Server-side apply of one object; returns it as it then is.

        :param force: take over fields that another manager owns, instead of refusing.
        :raises ClusterError: naming the other manager and the fields, the missing permission, or
            whatever else the API server said.
        """
        metadata = an_object["metadata"]
        return self._request(
            "patch",
            an_object["apiVersion"],
            an_object["kind"],
            namespace=metadata["namespace"],
            name=metadata["name"],
            body=an_object,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts=force or None,
            dry_run="All" if dry_run else None,
        )

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> Json | None:
        """The object, None when it is not there."""
        try:
            return self._request("get", api_version, kind, namespace=namespace, name=name)
        except NotFound:
            return None

    def find(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Json]:
        """Objects of a kind in a namespace, or in all with None."""
        found = self.pages(api_version, kind, namespace, labels=labels, fields=fields)
        return [item for page in found for item in page]

    def pages(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> Iterator[list[Json]]:
        """The same in pages, for kinds of which there may be many."""
        after: str | None = None
        while True:
            found = self._request(
                "get",
                api_version,
                kind,
                verb="list",
                namespace=namespace,
                label_selector=labels or None,
                field_selector=fields or None,
                limit=PAGE,
                _continue=after,
            )
            # Items of a list do not carry their kind.
            yield [{"apiVersion": api_version, "kind": kind} | item for item in found["items"]]
            after = found["metadata"].get("continue") or None
            if after is None:
                return

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str, *, grace: int | None = None
    ) -> bool:
        """Delete an object and what it owns; False when it was not there."""
        body: Json = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self._request("delete", api_version, kind, namespace=namespace, name=name, body=body)
        except NotFound:
            return False
        return True

    def create(self, an_object: Json) -> Json:
        """Create an object. :raises Exists: when there is one of that name."""
        return self._request(
            "post",
            an_object["apiVersion"],
            an_object["kind"],
            verb="create",
            namespace=an_object["metadata"]["namespace"],
            body=an_object,
        )

    def replace(self, an_object: Json) -> Json:
        """Update an object; with its ``resourceVersion``, only if nobody else did meanwhile.

        :raises Exists: when somebody else did.
        """
        metadata = an_object["metadata"]
        return self._request(
            "put",
            an_object["apiVersion"],
            an_object["kind"],
            verb="update",
            namespace=metadata["namespace"],
            name=metadata["name"],
            body=an_object,
        )

    def watch(
        self, api_version: str, kind: str, name: str, namespace: str, *, seconds: float
    ) -> Iterator[tuple[str, Json]]:
        """Event types and states of one object, beginning with the present one, for so long.

        The type is ADDED, MODIFIED or DELETED. Ends early when the API server ends the watch; who
        still waits watches again.
        """
        from urllib3.exceptions import HTTPError

        attempt = refusals.Attempt("watch", rbac_name(api_version, kind), namespace, name)
        whole = max(1, round(seconds))
        with self.explained(attempt):
            answer = self.dynamic.request(
                "get",
                self._path(api_version, kind, namespace=namespace),
                field_selector=f"metadata.name={name}",
                watch=True,
                timeout_seconds=whole,
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, whole + _WATCH_MARGIN_SECONDS),
            )
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
        except HTTPError:
            self.log.debug("The watch on %s %s was cut off", kind, name)
        finally:
            answer.close()
            answer.release_conn()

    def pods(self, namespace: str, labels: str) -> list[Json]:
        """Pods by label selector."""
        return self.find("v1", "Pod", namespace, labels=labels)

    def events(self, namespace: str, fields: str = "") -> list[Json]:
        """Events of a namespace; none where the account may not read them."""
        try:
            return self.find("v1", "Event", namespace, fields=fields)
        except ClusterError as error:
            self.log.warning("The events cannot be shown: %s", error)
            return []

    def logs(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool) -> str:
        """The last log lines of a container, empty when there are none to be had."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer = self.core_v1_client.read_namespaced_pod_log(
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
            self.log.debug("No logs of %s/%s: %s", pod, container, error)
            return ""

    def _request(
        self,
        method: str,
        api_version: str,
        kind: str,
        *,
        namespace: str | None,
        name: str | None = None,
        verb: str | None = None,
        body: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> Json:
        attempt = refusals.Attempt(
            verb or method, rbac_name(api_version, kind), namespace or "", name or ""
        )
        with self.explained(attempt):
            answer = self.dynamic.request(
                method,
                self._path(api_version, kind, namespace=namespace, name=name),
                body=body,
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
                **parameters,
            )
        return cast("Json", json.loads(answer.data))

    def _path(
        self, api_version: str, kind: str, *, namespace: str | None, name: str | None = None
    ) -> str:
        resource = self.dynamic.resources.get(api_version=api_version, kind=kind)
        return str(resource.path(name=name, namespace=namespace))

    def explained(self, attempt: refusals.Attempt) -> AbstractContextManager[None]:
        """Turn what the client raises meanwhile into an error that a person can use."""
        return cluster_errors.explained(self.server, attempt)


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=False):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
