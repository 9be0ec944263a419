"""Which ServiceAccount, labels and privileges a manifest may ask for in its environment."""

from __future__ import annotations

from manifest_engine.domain.core.errors import NotAllowed
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.environment.patterns import matches_any
from manifest_engine.domain.manifest.manifest import Manifest


def require_granted(manifest: Manifest, environment: Environment) -> None:
    """Refuse a ServiceAccount, a label or a privilege that the environment does not grant.

    :raises NotAllowed: naming the rule.
    """
    where, cluster, pods = manifest.environment, environment.cluster, environment.pods
    account = manifest.service_account
    if (
        account
        and account != cluster.service_account
        and not matches_any(cluster.allowed_service_accounts, account)
    ):
        raise NotAllowed(
            f"serviceAccount is {account!r}; {where!r} allows "
            f"{_listed(cluster.allowed_service_accounts)} (cluster.allowedServiceAccounts in "
            "environments.yaml). Choose one of them, or have this one added."
        )
    for key in manifest.labels:
        if not matches_any(cluster.allowed_labels, key):
            raise NotAllowed(
                f"labels has {key!r}; {where!r} allows {_listed(cluster.allowed_labels)} "
                "(cluster.allowedLabels in environments.yaml), because other Services and network "
                "policies may select pods by their labels. Remove the label, or have its key added."
            )
    if manifest.security.run_as_root and not pods.allow_root:
        raise NotAllowed(
            f"security.runAsRoot is true; {where!r} runs no container as root (pods.allowRoot in "
            "environments.yaml). Build an image that runs as a numeric user: add `USER 1000` to "
            "the Dockerfile."
        )
    for name in manifest.security.capabilities:
        if name not in pods.allowed_capabilities:
            raise NotAllowed(
                f"security.capabilities has {name!r}; {where!r} allows "
                f"{_listed(pods.allowed_capabilities)} (pods.allowedCapabilities in "
                "environments.yaml). Change the image so that it does not need the capability, or "
                "have it added."
            )


def _listed(allowed: tuple[str, ...]) -> str:
    return ", ".join(allowed) or "none"
