"""An AKS cluster, found by its name in Azure Resource Manager and used as an Entra ID identity."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from manifest_engine.domain.core.errors import ClusterError, ConfigurationError, ManifestEngineError
from manifest_engine.hooks.azure import arm
from manifest_engine.hooks.azure.identity import AzureIdentity
from manifest_engine.hooks.core.connections import certificate_authorities
from manifest_engine.hooks.kubernetes import kubeconfig
from manifest_engine.hooks.kubernetes.api_server import ApiServer
from manifest_engine.hooks.kubernetes.kubeconfig_cache import KubeconfigFile

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from kubernetes.client import ApiClient

CONN_TYPE = "aks"
_WHERE = ("subscription_id", "resource_group", "cluster_name")


class AksHook(BaseHook):
    """The cluster of an Airflow Connection of type ``aks``.

    Login is a client id and password is its secret. ``auth`` in the extra selects the kind of
    identity, as for a registry: ``service_principal`` (the default), ``managed_identity`` or
    ``workload_identity``. The extra requires ``subscription_id``, ``resource_group``,
    ``cluster_name`` and ``tenant_id``. Optional fields of the extra:

    - ``server_application_id``: for a cluster with its own server application.
    - ``private_fqdn``: the name by which this Airflow reaches the API server.
    - ``proxy_url``: an HTTP proxy between this Airflow and the API server.
    - ``arm_endpoint``, ``arm_audience``, ``authority``: for a sovereign cloud.
    - ``verify``: path of a file of certificate authorities for ARM and Entra ID (default:
      REQUESTS_CA_BUNDLE, or the usual authorities).

    For a cluster with local accounts the client uses the certificate from ARM.

    :param aks_conn_id: id of the Airflow Connection.
    :param connection: the Connection, if it has been read already (in the triggerer).
    """

    conn_name_attr = "aks_conn_id"
    default_conn_name = "aks_default"
    conn_type = CONN_TYPE
    hook_name = "Azure Kubernetes Service (Manifest Engine)"

    def __init__(
        self, aks_conn_id: str = default_conn_name, *, connection: Connection | None = None
    ) -> None:
        super().__init__()
        self.aks_conn_id = aks_conn_id
        self._given = connection

    @cached_property
    def _connection(self) -> Any:
        return self._given or self.get_connection(self.aks_conn_id)

    @cached_property
    def _extra(self) -> dict[str, Any]:
        """The fields of the extra that have a value; the form also stores empty fields."""
        given = self._connection.extra_dejson.items()
        filled = {key: value for key, value in given if value not in (None, "")}
        return {"auth": "service_principal", **filled}

    @cached_property
    def cluster(self) -> arm.ManagedCluster:
        """The cluster's place in Azure.

        :raises ConfigurationError: with the names of missing fields.
        """
        missing = [field for field in _WHERE if field not in self._extra]
        if missing:
            raise ConfigurationError(
                f"The Connection {self.aks_conn_id!r} has no {', '.join(missing)} in its extra; "
                "all three of subscription_id, resource_group and cluster_name are needed."
            )
        return arm.ManagedCluster(*(str(self._extra[field]) for field in _WHERE))

    @cached_property
    def identity(self) -> AzureIdentity:
        """The identity for ARM and the cluster."""
        connection = self._connection
        return AzureIdentity(
            self.aks_conn_id,
            login=connection.login,
            password=connection.password,
            extra=self._extra,
            verify=self._verify,
        )

    def get_conn(self) -> ApiClient:
        """A client of the cluster's API server, which renews its token when needed.

        :raises ConfigurationError: when the Connection is incomplete.
        :raises ClusterError: when Entra ID or ARM refuses the identity.
        """
        return self._client(fresh=False)

    def _client(self, *, fresh: bool) -> ApiClient:
        """:param fresh: ask Azure Resource Manager, even if the kubeconfig is kept."""
        from manifest_engine.hooks.kubernetes.bearer_client import BearerClient, TimedClient

        found = self._kubeconfig(fresh=fresh)
        configuration = self._configuration(found)
        if found.entra is None:
            self.log.info("%s has local accounts", self.cluster.name)
            return TimedClient(configuration)
        self._require_tenant(found.entra)
        application = self._extra.get("server_application_id") or found.entra.server_application
        return BearerClient(
            configuration,
            token=lambda: self.identity.token(f"{application}/.default"),
            renew=self.identity.renew,
            refused=self._refused,
            unreachable=self._kept.forget,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Runs when the user clicks "Test" in the Connection's form: ask the cluster who we are."""
        try:
            client = self._client(fresh=True)
            name = ApiServer(client).user_name()
            return True, f"{client.configuration.host} takes this identity as {name}."
        except ManifestEngineError as error:
            return False, str(error)
        except Exception as error:  # the form shows any error
            why = getattr(error, "reason", None) or error
            return False, f"The API server of {self.cluster} does not answer: {why}"

    def _kubeconfig(self, *, fresh: bool) -> kubeconfig.Kubeconfig:
        text = None if fresh else self._kept.read()
        if text is None:
            manager = arm.ResourceManager(*self._manager, self._verify)
            text = manager.user_kubeconfig(self.cluster, self.identity)
        found = kubeconfig.read(text, str(self.cluster))
        if found.entra is not None:
            self._kept.write(text)
        host = self._extra.get("private_fqdn")
        return found.at(str(host)) if host else found

    @property
    def _manager(self) -> tuple[str, str]:
        """Endpoint and audience of Azure Resource Manager."""
        endpoint = str(self._extra.get("arm_endpoint") or arm.ENDPOINT)
        return endpoint, str(self._extra.get("arm_audience") or endpoint)

    @cached_property
    def _kept(self) -> KubeconfigFile:
        identity = self._extra.get("authority"), self.identity.tenant, self.identity.client
        how = self._extra["auth"]
        return KubeconfigFile((*self._manager, self.cluster, self.aks_conn_id, how, *identity))

    def _configuration(self, found: kubeconfig.Kubeconfig) -> Any:
        from airflow.providers.cncf.kubernetes.kube_client import configure_tcp_keepalive
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config_from_dict

        # A new object, since other connections can have changed the default of this process.
        configuration = type.__call__(Configuration)
        load_kube_config_from_dict(
            found.content(), client_configuration=configuration, persist_config=False
        )
        configure_tcp_keepalive(configuration)  # Azure's load balancers drop idle connections
        if proxy := self._extra.get("proxy_url") or found.cluster.get("proxy-url"):
            configuration.proxy = str(proxy)
        return configuration

    def _require_tenant(self, entra: kubeconfig.Entra) -> None:
        tenant = self.identity.tenant
        if tenant and entra.tenant and tenant.lower() != entra.tenant.lower():
            raise ConfigurationError(
                f"{self.cluster} takes identities of the tenant {entra.tenant}; tenant_id of the "
                f"Connection {self.aks_conn_id!r} is {tenant}."
            )

    def _refused(self) -> ClusterError:
        return ClusterError(
            f"The API server of {self.cluster} does not accept a new token of {self.identity}: "
            "the cluster trusts another tenant or another server_application_id, or the clocks "
            "differ."
        )

    @property
    def _verify(self) -> bool | str:
        """True, or the path of a file with certificate authorities."""
        return certificate_authorities(self._extra)
