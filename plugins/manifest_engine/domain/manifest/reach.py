"""Which Secrets and artifact repositories a manifest may name in its environment.

The rules check only names. The type of a Secret would say more, but our role may not read Secrets,
and Kubernetes needs the same permission for the metadata as for the values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import NotAllowed
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.environment.patterns import matches_any
from manifest_engine.domain.manifest.manifest import Manifest

_FORBIDDEN_KEYS = {
    ".dockerconfigjson": "a pull secret's login",
    ".dockercfg": "a pull secret's login",
    "token": "a ServiceAccount's token",
}
"""Keys under which Kubernetes keeps credentials of the cluster, in Secrets of the types
``kubernetes.io/dockerconfigjson``, ``kubernetes.io/dockercfg`` and
``kubernetes.io/service-account-token`` ("Types of Secret" in the documentation of Kubernetes)."""
_GENERATED = re.compile(r"-(?:token|dockercfg)-[bcdfghjklmnpqrstvwxz2456789]{5}$")
"""The end of a Secret's name that a controller generated for a ServiceAccount: five characters of
Kubernetes' alphabet for generated names. The beginning can be the name of a service."""
_BOOTSTRAP = "bootstrap-token-"
_DNS_LABEL = re.compile(names.DNS_LABEL)


def require_allowed(manifest: Manifest, environment: Environment) -> None:
    """Refuse a manifest with a Secret or an artifact that the environment does not allow.

    :raises NotAllowed: naming the rule.
    """
    _require_repository(manifest, environment)
    for variable, secret, key in _secret_references(manifest):
        field = f"secretEnv.{variable}"
        if key in _FORBIDDEN_KEYS:
            raise NotAllowed(
                f"{field} names the key {key!r} of the Secret {secret!r}. Under that key "
                f"Kubernetes keeps {_FORBIDDEN_KEYS[key]}, which no service may read; store other "
                "values under another key."
            )
        if secret in environment.cluster.image_pull_secrets:
            raise NotAllowed(
                f"{field} names the Secret {secret!r}, with which {manifest.environment!r} pulls "
                "images (cluster.imagePullSecrets in environments.yaml); no service may read it."
            )
        if secret.startswith(_BOOTSTRAP) or _GENERATED.search(secret):
            raise NotAllowed(
                f"{field} names the Secret {secret!r}. Kubernetes gives such names to its own "
                "tokens and logins, which no service may read; give the Secret another name."
            )
        if not _is_own(secret, manifest) and not _is_listed(secret, environment):
            own = manifest.object_name
            raise NotAllowed(
                f"{field} names the Secret {secret!r}. In {manifest.environment!r} the service "
                f"{own} may use Secrets whose name is {own!r} or begins with {own + '-'!r}"
                f"{_listed_secrets(environment)}. Rename the Secret, or have it added to "
                "cluster.allowedSecrets in environments.yaml."
            )


def other_owners(manifest: Manifest, environment: Environment) -> dict[str, str]:
    """Object names of other services that could own a Secret of the manifest, with the Secret.

    The names of both services ``a-b`` and ``a-b-c`` allow the Secret ``a-b-c-db``. The Secret
    belongs to the service with the longest name, if that service exists.
    """
    own = manifest.object_name
    found = {}
    for _, secret, _ in _secret_references(manifest):
        if not _is_own(secret, manifest) or _is_listed(secret, environment):
            continue
        ends = [place for place, sign in enumerate(secret) if sign == "-" and place > len(own)]
        for end in (*ends, len(secret)):
            if len(own) < end <= names.LABEL_MAX and _DNS_LABEL.fullmatch(secret[:end]):
                found[secret[:end]] = secret
    return found


def refuse_other_owners(
    manifest: Manifest, environment: Environment, deployed: Collection[str]
) -> None:
    """Refuse a manifest that names a Secret of another service.

    :param deployed: object names of the services in the manifest's namespace.
    :raises NotAllowed: naming the Secret and the service that owns the Secret.
    """
    for owner, secret in other_owners(manifest, environment).items():
        if owner in deployed:
            raise NotAllowed(
                f"secretEnv names the Secret {secret!r}, which belongs to the service {owner}: a "
                "Secret belongs to the service with the longest matching name. Rename the Secret, "
                "or have it added to cluster.allowedSecrets in environments.yaml."
            )


def _require_repository(manifest: Manifest, environment: Environment) -> None:
    """Refuse an artifact outside the allowed repositories.

    A manifest without ``artifact`` uses the environment's own repository.
    """
    artifactory = environment.artifactory
    allowed = (artifactory.repository, *artifactory.allowed_repositories)
    path = manifest.artifact
    if path is not None and not any(path.startswith(f"{place}/") for place in allowed):
        raise NotAllowed(
            f"The artifact {path!r} is not in a repository that {manifest.environment!r} allows: "
            f"{', '.join(allowed)} (artifactory.repository and allowedRepositories in "
            "environments.yaml). Upload or copy it there, or have its repository added."
        )


def _secret_references(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Variable, Secret and key of each entry of ``secretEnv``."""
    for variable, target in manifest.secret_env.items():
        secret, _, key = target.partition("/")
        yield variable, secret, key


def _is_own(secret: str, manifest: Manifest) -> bool:
    return secret == manifest.object_name or secret.startswith(f"{manifest.object_name}-")


def _is_listed(secret: str, environment: Environment) -> bool:
    return matches_any(environment.cluster.allowed_secrets, secret)


def _listed_secrets(environment: Environment) -> str:
    listed = environment.cluster.allowed_secrets
    return f", and those in cluster.allowedSecrets: {', '.join(listed)}" if listed else ""
