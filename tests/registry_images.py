"""What a person with the right to do so does to a registry, behind the package's back."""

from __future__ import annotations

from manifest_engine.hooks.registry.api import RegistryApi


def delete(registry: RegistryApi, repository: str, digest: str) -> None:
    """Delete a manifest, and with it the tags that name it."""
    registry._http.ask(
        "DELETE",
        f"/v2/{repository}/manifests/{digest}",
        f"repository:{repository}:delete",
        f"delete {repository}@{digest}",
    )
