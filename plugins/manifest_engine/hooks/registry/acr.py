"""An Azure Container Registry, or any registry with the same protocol."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from manifest_engine.domain.core.errors import (
    ConfigurationError,
    ManifestEngineError,
    RegistryError,
)
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.core.connections import certificate_authorities, required
from manifest_engine.hooks.registry.auth import EntraIdentity, Identity, PasswordIdentity

if TYPE_CHECKING:
    from manifest_engine.hooks.registry.api import RegistryApi


class AcrHook(BaseHook):
    """The registry of an Airflow Connection of type ``acr``.

    Host is the login server: ``name.azurecr.io``, also with a scheme or a port. Without ``auth`` in
    the extra, login and password are those of a registry user. With ``auth``, the identity is one
    of Entra ID: ``service_principal`` (login: client id; password: secret, or ``certificate`` in
    the extra; ``tenant_id``), ``managed_identity`` (login: client id if user-assigned), or
    ``workload_identity``. ``verify`` in the extra is the path of a file of certificate authorities
    of the registry and of Entra ID (default: REQUESTS_CA_BUNDLE, or the usual authorities).
    ``authority`` and ``audience`` follow from the login server, unless the extra has them.

    :param acr_conn_id: id of the Airflow Connection.
    :param deadline_seconds: limit for one request with all its retries.
    """

    conn_name_attr = "acr_conn_id"
    default_conn_name = "acr_default"
    conn_type = "acr"
    hook_name = "Azure Container Registry (Manifest Engine)"

    def __init__(
        self, acr_conn_id: str = default_conn_name, *, deadline_seconds: float = 60
    ) -> None:
        super().__init__()
        self.acr_conn_id = acr_conn_id
        self._deadline = deadline_seconds

    @cached_property
    def _connection(self) -> Any:
        with required(self.acr_conn_id, "acr"):
            return self.get_connection(self.acr_conn_id)

    @property
    def login_server(self) -> str:
        """Host with its port, if any, as in image references.

        :raises ConfigurationError: when the Connection does not exist or has no host.
        """
        return self._url.partition("://")[2]

    @property
    def _url(self) -> str:
        host = (self._connection.host or "").rstrip("/")
        if not host:
            raise ConfigurationError(
                f"The Connection {self.acr_conn_id!r} has no host; enter the registry's login "
                "server, such as name.azurecr.io."
            )
        scheme, found, rest = host.rpartition("://")
        authority = rest.partition("/")[0].lower()
        port = self._connection.port
        if port and ":" not in authority:
            authority += f":{port}"
        return f"{scheme if found else 'https'}://{authority}"

    @cached_property
    def api(self) -> RegistryApi:
        """The registry's HTTP API, as the Connection's identity."""
        from manifest_engine.hooks.registry.api import RegistryApi

        return RegistryApi(
            self._url, self._identity(), verify=self.verify, deadline_seconds=self._deadline
        )

    @property
    def verify(self) -> bool | str:
        """True, or the path of a file with certificate authorities."""
        return certificate_authorities(self._connection.extra_dejson)

    def docker_login(self) -> Login:
        """User and password for docker's clients: the Connection's own, or a fresh token."""
        return self.api.login()

    def test_connection(self) -> tuple[bool, str]:
        """Runs when the user clicks "Test" in the Connection's form."""
        try:
            self.api.check()
        except ManifestEngineError as error:
            return False, str(error)
        return True, f"{self.login_server} accepts this identity."

    def _identity(self) -> Identity:
        connection = self._connection
        extra = connection.extra_dejson
        if extra.get("auth"):
            from manifest_engine.hooks.azure import clouds
            from manifest_engine.hooks.azure.identity import AzureIdentity

            cloud = clouds.of_registry(self.login_server)
            audience = str(extra.get("audience") or cloud.registry_audience).rstrip("/")
            if cloud.authority and not extra.get("authority"):
                extra = {**extra, "authority": cloud.authority}
            identity = AzureIdentity(
                self.acr_conn_id,
                login=connection.login,
                password=connection.password,
                extra=extra,
                verify=self.verify,
                error=RegistryError,
            )
            identity.validate()  # report a wrong field now, not at the first request
            return EntraIdentity(
                lambda: identity.token(f"{audience}/.default"), extra.get("tenant_id")
            )
        if not connection.login or not connection.password:
            raise ConfigurationError(
                f"The Connection {self.acr_conn_id!r} has no login and password; enter them, or "
                "name an Entra ID identity by 'auth' in its extra."
            )
        return PasswordIdentity(Login(connection.login, connection.password))
