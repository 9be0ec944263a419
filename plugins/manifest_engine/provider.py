"""Provider metadata: the types of Connections and the fields of their forms.

Airflow finds this file by the entry point ``apache_airflow_provider`` of the installed package, or
of the metadata that ``python -m manifest_engine register`` writes beside a copied package. Each
component of Airflow loads this file at its start, so the file imports nothing.
"""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]


def get_provider_info() -> dict[str, Any]:
    """The metadata, in the format of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "manifest-engine",
        "name": "Manifest Engine",
        "description": "Deploys services from Artifactory to AKS.",
        "connection-types": [_artifactory(), _acr(), _aks()],
    }


def _artifactory() -> dict[str, Any]:
    return {
        "connection-type": "artifactory",
        "hook-class-name": "manifest_engine.hooks.artifactory.hook.ArtifactoryHook",
        "hook-name": "Artifactory",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "Base URL", "login": "User", "password": "Token or password"},
            "placeholders": {
                "host": "https://team.jfrog.io/artifactory",
                "login": "empty with an access token",
            },
        },
        "conn-fields": {
            "verify": _text("CA bundle", "File of certificate authorities, or false."),
            "timeout": _text("Timeout", "Seconds without a byte; 60 when left empty."),
        },
    }


def _acr() -> dict[str, Any]:
    return {
        "connection-type": "acr",
        "hook-class-name": "manifest_engine.hooks.registry.acr.AcrHook",
        "hook-name": "Azure Container Registry (Manifest Engine)",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {
                "host": "Login server",
                "login": "User or client ID",
                "password": "Password or client secret",
            },
            "placeholders": {"host": "team.azurecr.io"},
        },
        "conn-fields": {
            **_identity({"": "user and password of the registry"}),
            **_authority(),
            "audience": _text(
                "Audience", "Of Entra ID tokens, where it does not follow from the login server."
            ),
            "verify": _ca(),
        },
    }


def _aks() -> dict[str, Any]:
    return {
        "connection-type": "aks",
        "hook-class-name": "manifest_engine.hooks.kubernetes.aks.AksHook",
        "hook-name": "Azure Kubernetes Service (Manifest Engine)",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "port"],
            "relabeling": {"login": "Client ID", "password": "Client secret"},
            "placeholders": {
                "login": "of a service principal or a user-assigned identity",
                "password": "empty with a certificate, a managed or a workload identity",
            },
        },
        "conn-fields": {
            "subscription_id": _text("Subscription ID"),
            "resource_group": _text("Resource group"),
            "cluster_name": _text("Cluster name"),
            **_identity({}),
            "server_application_id": _text(
                "Server application ID", "Only of a cluster that has an application of its own."
            ),
            "private_fqdn": _text(
                "Private FQDN",
                "Name (and :port) under which this Airflow reaches the API server, where it is "
                "another than Azure tells. The certificate is still that of Azure's name.",
            ),
            "proxy_url": _text("Proxy URL", "HTTP proxy on the way to the API server."),
            "arm_endpoint": _text(
                "ARM endpoint", "Of a sovereign cloud; https://management.azure.com when empty."
            ),
            "arm_audience": _text("ARM audience", "Where it differs from the ARM endpoint."),
            **_authority(),
            "verify": _ca(),
        },
    }


def _identity(first: dict[str, str]) -> dict[str, Field]:
    """The fields of an Entra ID identity.

    :param first: choices before those of ``hooks.azure.entra``; the first choice is the default.
    """
    ways = first | {
        "service_principal": "service principal",
        "managed_identity": "managed identity",
        "workload_identity": "workload identity",
    }
    return {
        "auth": {
            "label": "Identity",
            "description": "Who we are: an identity of Entra ID"
            + (", or an account of its own." if first else "."),
            "schema": {
                "type": ["string", "null"],
                "enum": list(ways),
                "values_display": ways,
                "default": next(iter(ways)),
            },
        },
        "tenant_id": _text("Tenant ID"),
        "certificate": {
            "label": "Certificate",
            "description": "Of a service principal, instead of a secret: PEM with its key, or the "
            "path of such a file.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
    }


def _authority() -> dict[str, Field]:
    return {
        "authority": _text(
            "Authority",
            "Entra ID of a sovereign cloud; https://login.microsoftonline.com when empty.",
        ),
        "disable_instance_discovery": {
            "label": "Private authority",
            "description": "The authority is none that Microsoft's public cloud knows.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
    }


def _ca() -> Field:
    return _text(
        "CA bundle",
        "File of certificate authorities; else REQUESTS_CA_BUNDLE, or the usual ones.",
    )


def _text(label: str, description: str | None = None) -> Field:
    field: Field = {"label": label, "schema": {"type": ["string", "null"]}}
    return field | ({"description": description} if description else {})
