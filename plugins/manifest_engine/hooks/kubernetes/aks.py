"""An AKS cluster by its name in Azure: found through ARM, spoken to as an identity of Entra ID."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from manifest_engine.domain.core.errors import ClusterError, ConfigurationError, ManifestEngineError
from manifest_engine.hooks.azure import arm
from manifest_engine.hooks.azure.identity import AzureIdentity
from manifest_engine.hooks.core.connections import certificate_authorities
from manifest_engine.hooks.kubernetes import kubeconfig

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from kubernetes.client import ApiClient

CONN_TYPE = "aks"
_WHERE = ("subscription_id", "resource_group", "cluster_name")


class AksHook(BaseHook):
    """The cluster of an Airflow Connection of type ``aks``.

    Login is a client id and password its secret; other identities by ``auth`` in the extra
    (``service_principal``, the default; ``managed_identity``; ``workload_identity``), as for a
    registry. The extra has ``subscription_id``, ``resource_group``, ``cluster_name`` and
    ``tenant_id``; besides, where they are needed:

    - ``server_application_id``: of a cluster that has an application of its own.
    - ``private_fqdn``: the name under which this Airflow reaches the API server.
    - ``proxy_url``: an HTTP proxy on the way to the API server.
    - ``arm_endpoint``, ``arm_audience``, ``authority``: of a sovereign cloud.
    - ``verify``: file of certificate authorities for ARM and Entra ID (default:
      REQUESTS_CA_BUNDLE, or the usual ones).

    A cluster with local accounts is spoken to with the certificate that ARM hands out.

    :param aks_conn_id: its id.
    :param connection: the Connection itself, where it has been read already (in the triggerer).
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
        """What is filled in; the form stores empty fields, too."""
        given = self._connection.extra_dejson.items()
        filled = {key: value for key, value in given if value not in (None, "")}
        return {"auth": "service_principal", **filled}

    @cached_property
    def cluster(self) -> arm.ManagedCluster:
        """The cluster as Azure names it.

        :raises ConfigurationError: naming the fields that are missing.
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
        """Who asks ARM and the cluster."""
        connection = self._connection
        return AzureIdentity(
            self.aks_conn_id,
            login=connection.login,
            password=connection.password,
            extra=self._extra,
            verify=self._verify,
        )

    def get_conn(self) -> ApiClient:
        """A client of the cluster's API server; its token is renewed for as long as it is used.

        :raises ConfigurationError: when the Connection is incomplete.
        :raises ClusterError: when Entra ID or ARM refuses, saying what is missing.
        """
        from manifest_engine.hooks.kubernetes.bearer_client import BearerClient, TimedClient

        found = self._kubeconfig()
        configuration = self._configuration(found)
        if found.entra is None:
            self.log.info("%s has local accounts", self.cluster.name)
            return TimedClient(configuration)
        self._demand_tenant(found.entra)
        application = self._extra.get("server_application_id") or found.entra.server_application
        return BearerClient(
            configuration,
            token=lambda: self.identity.token(f"{application}/.default"),
            renew=self.identity.renew,
            refused=self._refused,
        )

    def test_connection(self) -> tuple[bool, str]:
        """For the button "Test" of the Connection's form: ask the cluster who we are."""
        try:
            client = self.get_conn()
            return True, f"{client.configuration.host} takes this identity as {_who(client)}."
        except ManifestEngineError as error:
            return False, str(error)
        except Exception as error:  # whatever it is, it is the answer
            why = getattr(error, "reason", None) or error
            return False, f"The API server of {self.cluster} does not answer: {why}"

    def _kubeconfig(self) -> kubeconfig.Kubeconfig:
        endpoint = str(self._extra.get("arm_endpoint") or arm.ENDPOINT)
        manager = arm.ResourceManager(
            endpoint, str(self._extra.get("arm_audience") or endpoint), self._verify
        )
        text = manager.user_kubeconfig(self.cluster, self.identity)
        found = kubeconfig.read(text, str(self.cluster))
        host = self._extra.get("private_fqdn")
        return found.at(str(host)) if host else found

    def _configuration(self, found: kubeconfig.Kubeconfig) -> Any:
        from airflow.providers.cncf.kubernetes.kube_client import configure_tcp_keepalive
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config_from_dict

        # Not the default of this process, which other connections may have changed.
        configuration = type.__call__(Configuration)
        load_kube_config_from_dict(
            found.content(), client_configuration=configuration, persist_config=False
        )
        configure_tcp_keepalive(configuration)  # Azure's load balancers drop idle connections
        if proxy := self._extra.get("proxy_url") or found.cluster.get("proxy-url"):
            configuration.proxy = str(proxy)
        return configuration

    def _demand_tenant(self, entra: kubeconfig.Entra) -> None:
        mine = self.identity.tenant
        if mine and entra.tenant and mine.lower() != entra.tenant.lower():
            raise ConfigurationError(
                f"{self.cluster} takes identities of the tenant {entra.tenant}; tenant_id of the "
                f"Connection {self.aks_conn_id!r} is {mine}."
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


def _who(client: ApiClient) -> str:
    """The user name that the API server sees; every authenticated account may ask for its own."""
    answer = client.call_api(
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        "POST",
        header_params={"Accept": "application/json", "Content-Type": "application/json"},
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        auth_settings=["BearerToken"],
        response_types_map={201: "object"},
        _return_http_data_only=True,
        _request_timeout=(10.0, 30.0),
    )
    return str(answer["status"]["userInfo"]["username"])
