"""The Kubernetes cluster of an environment: server-side apply, reading, watching, and its errors.

The hook extends the provider's hook, so every form of a ``kubernetes`` connection works, and the
smoke test's pod operator can use the hook too. For a connection of type ``aks``, see
:mod:`manifest_engine.hooks.kubernetes.aks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.release.labels import MANAGER
from manifest_engine.hooks.core.connections import require_type, required
from manifest_engine.hooks.kubernetes.api_server import ApiServer, Json, reading_once
from manifest_engine.hooks.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from airflow.sdk import Connection

PAGE = 500
"""Objects per answer, as in kubectl."""


class Selectors(TypedDict, total=False):
    """Label and field selectors, as in ``kubectl get``."""

    labels: str
    fields: str


class Paging(Selectors, total=False):
    """Which objects to list, and how many objects a page has: ``PAGE`` by default."""

    limit: int


_APPLY = "application/apply-patch+yaml; charset=utf-8"
"""With the charset the client sends our bytes unchanged. The client's own JSON escapes characters
beyond the BMP as surrogate pairs, which the API server's YAML decoder refuses."""


_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""


class ClusterHook(KubernetesHook):
    """One cluster, by its Airflow Connection.

    :param conn_id: a connection of type ``kubernetes`` or ``aks``.
    :param connection: the connection, if it has been read already (in the triggerer).
    """

    hook_name = "Manifest Engine cluster"

    def __init__(self, conn_id: str, *, connection: Connection | None = None) -> None:
        super().__init__(conn_id=conn_id)
        self._given = connection

    @cached_property
    def connection(self) -> Connection:
        """The Airflow Connection; read once.

        :raises ConfigurationError: when it does not exist.
        """
        if self._given:
            return self._given
        conn_id = cast("str", self.conn_id)
        with required(conn_id, "kubernetes or aks"):
            return self.get_connection(conn_id)

    @cached_property
    def conn_extras(self) -> Any:
        """The connection's extra fields."""
        return self.connection.extra_dejson

    def get_conn(self) -> Any:
        """An authenticated ``kubernetes.client.ApiClient``.

        :raises ConfigurationError: when the connection has another type or no usable configuration.
            Without the check of the type, the provider's hook would use the cluster that Airflow
            runs in.
        """
        require_type(self.connection, "kubernetes", "aks")
        if self.connection.conn_type == "aks":
            from manifest_engine.hooks.kubernetes.aks import AksHook

            self._is_in_cluster = False
            hook = AksHook(cast("str", self.conn_id), connection=self.connection)
            return reading_once(hook.get_conn())
        from kubernetes.config import ConfigException

        try:
            return reading_once(super().get_conn())
        except (ConfigException, OSError) as error:
            raise ConfigurationError(
                f"The connection {self.conn_id!r} does not lead to a cluster: {error}. Set "
                "kube_config, kube_config_path or in_cluster in it."
            ) from error

    @cached_property
    def api(self) -> ApiServer:
        """The cluster's API server."""
        return ApiServer(self.api_client)

    def apply(self, an_object: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply one object by server-side apply, and return the resulting object.

        :param force: take over fields that another manager owns.
        :raises Conflict: without ``force``, when another manager owns applied fields.
        :raises ClusterError: for every other refusal.
        """
        return self._send(
            "patch",
            an_object,
            body=json.dumps(an_object, ensure_ascii=False).encode(),
            content_type=_APPLY,
            field_manager=MANAGER,
            force_conflicts=force or None,
            dry_run="All" if dry_run else None,
        )

    def set_managed_fields(self, live: Json, managed: list[Json]) -> Json:
        """Change who owns which field of an object; no value changes.

        :param live: the object with the present ``resourceVersion``.
        :param managed: the new ``metadata.managedFields``.
        :raises Exists: when another client changed the object after its ``resourceVersion``.
        """
        version = live["metadata"]["resourceVersion"]
        return self._send(
            "patch",
            live,
            body=[
                {"op": "replace", "path": "/metadata/managedFields", "value": managed},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ],
            content_type="application/json-patch+json",
            field_manager=MANAGER,
        )

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> Json | None:
        """The object, None if it does not exist."""
        try:
            return self.api.request("get", api_version, kind, namespace=namespace, name=name)
        except NotFound:
            return None

    def metadata(self, api_version: str, kind: str, name: str, namespace: str) -> Json | None:
        """The object without its content, such as a Secret's values; None if it does not exist."""
        try:
            return self.api.request(
                "get",
                api_version,
                kind,
                namespace=namespace,
                name=name,
                header_params={"Accept": _METADATA_ONLY},
            )
        except NotFound:
            return None

    def find(
        self, api_version: str, kind: str, namespace: str | None, **selectors: Unpack[Selectors]
    ) -> list[Json]:
        """Objects of a kind in a namespace, or in all namespaces with None."""
        found = self.pages(api_version, kind, namespace, **selectors)
        return [item for page in found for item in page]

    def pages(
        self, api_version: str, kind: str, namespace: str | None, **selectors: Unpack[Paging]
    ) -> Iterator[list[Json]]:
        """As :meth:`find`, page by page for kinds with many objects."""
        after: str | None = None
        while True:
            found = self.api.request(
                "get",
                api_version,
                kind,
                verb="list",
                namespace=namespace,
                label_selector=selectors.get("labels") or None,
                field_selector=selectors.get("fields") or None,
                limit=selectors.get("limit", PAGE),
                _continue=after,
            )
            # Items of a list have no kind.
            yield [{"apiVersion": api_version, "kind": kind} | item for item in found["items"]]
            after = found["metadata"].get("continue") or None
            if after is None:
                return

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str, *, grace: int | None = None
    ) -> bool:
        """Delete an object and its dependents; False if the object did not exist."""
        body: Json = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self.api.request("delete", api_version, kind, namespace=namespace, name=name, body=body)
        except NotFound:
            return False
        return True

    def create(self, an_object: Json) -> Json:
        """Create an object.

        :raises Exists: when an object of that name exists.
        """
        return self.api.request(
            "post",
            an_object["apiVersion"],
            an_object["kind"],
            verb="create",
            namespace=an_object["metadata"]["namespace"],
            body=an_object,
        )

    def replace(self, an_object: Json) -> Json:
        """Replace an object.

        :raises Exists: when another client changed the object after its ``resourceVersion``.
        """
        return self._send("put", an_object, verb="update", body=an_object)

    def watch(
        self, api_version: str, kind: str, name: str, namespace: str, *, seconds: float
    ) -> Iterator[tuple[str, Json]]:
        """As :meth:`ApiServer.watch`."""
        return self.api.watch(api_version, kind, name, namespace, seconds=seconds)

    def _send(self, method: str, an_object: Json, **how: Any) -> Json:
        """Send a request about one object; parameters and errors as :meth:`ApiServer.request`."""
        metadata = an_object["metadata"]
        return self.api.request(
            method,
            an_object["apiVersion"],
            an_object["kind"],
            namespace=metadata["namespace"],
            name=metadata["name"],
            **how,
        )
