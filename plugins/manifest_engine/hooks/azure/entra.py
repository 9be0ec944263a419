"""Create a credential of azure-identity from the fields of a Connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.hooks.core.connections import pem

_RETRY_AFTER_MAX = 30.0
"""Seconds; azure-core sleeps as long as Retry-After says, and the task holds a worker slot."""
METHODS = ("service_principal", "managed_identity", "workload_identity")


def entra_credential(
    conn_id: str,
    *,
    login: str | None,
    password: str | None,
    extra: Mapping[str, Any],
    **transport: Any,
) -> Any:
    """Create the ``TokenCredential`` for these fields.

    :param login: client id.
    :param password: client secret, unless ``certificate`` is in the extra.
    :param extra: ``auth`` (one of :data:`METHODS`), ``tenant_id``, ``client_id``, ``certificate``
        (PEM text or path, with its key), ``authority`` (default: public cloud, or
        AZURE_AUTHORITY_HOST).
    :param transport: keyword arguments of azure-core's transport, such as ``connection_verify``.
    :raises ConfigurationError: with the name of a missing field.
    """
    method = extra.get("auth")
    if method not in METHODS:
        raise ConfigurationError(
            f"'auth' in the extra of the Connection {conn_id!r} is {method!r}; it can be "
            f"{', '.join(METHODS)}, or be left out for login and password."
        )
    client = str(extra.get("client_id") or login or "") or None
    return _credential(conn_id, method, client, password, extra=extra, transport=transport)


def _credential(
    conn_id: str,
    method: str,
    client: str | None,
    secret: str | None,
    *,
    extra: Mapping[str, Any],
    transport: Mapping[str, Any],
) -> Any:
    from azure import identity

    options: dict[str, Any] = {**transport, "retry_policy_class": bounded_retries()}
    if extra.get("authority"):
        options["authority"] = str(extra["authority"])
    if extra.get("disable_instance_discovery"):
        options["disable_instance_discovery"] = True
    if method == "managed_identity":
        return identity.ManagedIdentityCredential(client_id=client, **transport)
    tenant = extra.get("tenant_id")
    if method == "workload_identity":
        return identity.WorkloadIdentityCredential(tenant_id=tenant, client_id=client, **options)
    if not tenant or not client:
        raise ConfigurationError(
            f"The Connection {conn_id!r} needs tenant_id in its extra, and the client id as its "
            "login, to be a service principal."
        )
    if certificate := extra.get("certificate"):
        text = pem(conn_id, "certificate", str(certificate))
        return identity.CertificateCredential(
            tenant, client, certificate_data=text.encode(), **options
        )
    if not secret:
        raise ConfigurationError(
            f"The Connection {conn_id!r} needs the client secret as its password, or a certificate "
            "with its key in its extra."
        )
    return identity.ClientSecretCredential(tenant, client, secret, **options)


def bounded_retries() -> Any:
    """The class of azure-core's retry policy that does not sleep for long.

    The error then reaches Airflow, whose retries hold no worker slot.
    """
    from azure.core.pipeline.policies import RetryPolicy

    class BoundedRetries(RetryPolicy):
        def is_retry(self, settings: Any, response: Any) -> bool:
            after = self.get_retry_after(response) or 0.0
            return after <= _RETRY_AFTER_MAX and bool(super().is_retry(settings, response))

    return BoundedRetries
