"""Azure's clouds: the authority of each, and the audience of its registries.

Sources: azure-identity's ``AzureAuthorityHosts``; ``ContainerRegistryAudience`` of the Azure SDK,
which has the audience of Azure Resource Manager for each cloud (read 2026-11).
"""

from __future__ import annotations

from typing import NamedTuple


class Cloud(NamedTuple):
    """The endpoints of one cloud."""

    authority: str
    """The authority of Entra ID; empty for the default of azure-identity."""
    registry_audience: str


PUBLIC = Cloud("", "https://containerregistry.azure.net")
_SOVEREIGN = {
    ".azurecr.cn": Cloud("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
    ".azurecr.us": Cloud(
        "https://login.microsoftonline.us", "https://management.usgovcloudapi.net"
    ),
}


def of_registry(login_server: str) -> Cloud:
    """The cloud of a registry, by the suffix of its login server."""
    found = (cloud for suffix, cloud in _SOVEREIGN.items() if login_server.endswith(suffix))
    return next(found, PUBLIC)
