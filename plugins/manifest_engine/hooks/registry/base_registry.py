"""The login of a registry with private base images."""

from __future__ import annotations

from airflow.sdk import BaseHook

from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment.builds import BaseRegistry
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.core.connections import require_type, required
from manifest_engine.hooks.registry.acr import AcrHook

KINDS = ("acr", "docker", "http", "generic")


def login(registry: BaseRegistry, host: str) -> Login:
    """User and password for a host.

    :param host: host as in image references.
    :raises ConfigurationError: when the Connection is missing or has no login, or when a Connection
        of type ``acr`` has another host: the token must not go to this host.
    :raises RegistryError: when Entra ID gives no token.
    """
    by = "build.registries in environments.yaml"
    with required(registry.connection, " or ".join(KINDS), by=by):
        connection = BaseHook.get_connection(registry.connection)
    require_type(connection, *KINDS)
    if connection.conn_type == "acr":
        hook = AcrHook(registry.connection)
        if hook.login_server != host:
            raise ConfigurationError(
                f"{by} names the Connection {registry.connection!r} for the registry {host}, but "
                f"the Connection's host is {hook.login_server}: correct one of them."
            )
        return hook.docker_login()
    if not (connection.login and connection.password):
        raise ConfigurationError(
            f"{by} names the Connection {registry.connection!r} for the registry {host}, but the "
            "Connection lacks a login or a password: add both."
        )
    return Login(connection.login, connection.password)
