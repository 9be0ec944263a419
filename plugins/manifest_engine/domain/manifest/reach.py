"""Which objects of the cluster and artifact repositories a manifest may name in its environment.

The rules check only names. The type of a Secret would say more, but our role may not read Secrets,
and Kubernetes needs the same permission for the metadata as for the values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import NotAllowed
from manifest_engine.domain.environment.builds import ARCHITECTURE
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.environment.patterns import matches_any
from manifest_engine.domain.manifest import privileges
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


@dataclass(frozen=True)
class _Reference:
    """A field of the manifest that names an object of the cluster."""

    field: str
    kind: str
    name: str
    keys: tuple[str, ...] = ()


_LISTS = {
    "Secret": "allowedSecrets",
    "ConfigMap": "allowedConfigMaps",
    "SecretProviderClass": "allowedSecretProviderClasses",
}
"""Key of the block ``cluster`` with the names that every manifest may use, by kind."""


def require_allowed(manifest: Manifest, environment: Environment) -> None:
    """Refuse a manifest that names an artifact or an object that the environment does not allow, or
    asks for a privilege that the environment does not grant.

    :raises NotAllowed: naming the rule.
    """
    _require_repository(manifest, environment)
    _require_platform(manifest, environment)
    for reference in _references(manifest):
        kind, name = reference.kind, reference.name
        if kind == "Secret":
            _refuse_credentials(reference, manifest, environment)
        if not _is_own(name, manifest) and not _is_listed(reference, environment):
            own = manifest.object_name
            raise NotAllowed(
                f"{reference.field} names the {kind} {name!r}. In {manifest.environment!r} the "
                f"service {own} may use {_plural(kind)} whose name is {own!r} or begins with "
                f"{own + '-'!r}{_also_listed(reference, environment)}. Rename the {kind}, or have "
                f"it added to cluster.{_LISTS[kind]} in environments.yaml."
            )
    privileges.require_granted(manifest, environment)


def other_owners(manifest: Manifest, environment: Environment) -> dict[str, str]:
    """Object names of other services that could own an object of the manifest, with the field that
    names the object.

    The names of both services ``a-b`` and ``a-b-c`` allow the Secret ``a-b-c-db``. The Secret
    belongs to the service with the longest name, if that service exists.
    """
    own = manifest.object_name
    found = {}
    for reference in _references(manifest):
        name = reference.name
        if not _is_own(name, manifest) or _is_listed(reference, environment):
            continue
        ends = [place for place, sign in enumerate(name) if sign == "-" and place > len(own)]
        for end in (*ends, len(name)):
            if len(own) < end <= names.LABEL_MAX and _DNS_LABEL.fullmatch(name[:end]):
                found[name[:end]] = f"{reference.field} names the {reference.kind} {name!r}"
    return found


def refuse_other_owners(
    manifest: Manifest, environment: Environment, deployed: Collection[str]
) -> None:
    """Refuse a manifest that names an object of another service.

    :param deployed: object names of the services in the manifest's namespace.
    :raises NotAllowed: naming the object and the service that owns the object.
    """
    for owner, named in other_owners(manifest, environment).items():
        if owner in deployed:
            raise NotAllowed(
                f"{named}, which belongs to the service {owner}: an object belongs to the service "
                "with the longest matching name. Rename the object, or have it added to the "
                f"allowed names in cluster of {manifest.environment!r} in environments.yaml."
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


def _require_platform(manifest: Manifest, environment: Environment) -> None:
    """Refuse a platform that the environment's nodes do not have."""
    asked, allowed = manifest.platform, environment.build.platforms
    if asked and allowed and asked not in allowed:
        raise NotAllowed(
            f"platform is {asked}, but {manifest.environment!r} allows only "
            f"{' and '.join(allowed)} (build.platforms in environments.yaml): choose an allowed "
            "platform, or have the platform added."
        )
    node = environment.cluster.node_selector.get(ARCHITECTURE)
    if asked and node and asked != f"linux/{node}":
        raise NotAllowed(
            f"platform is {asked}, but the pods of {manifest.environment!r} run only on nodes with "
            f"{ARCHITECTURE}: {node} (cluster.nodeSelector in environments.yaml): choose "
            f"linux/{node}."
        )


def _references(manifest: Manifest) -> Iterator[_Reference]:
    for variable, target in manifest.secret_env.items():
        secret, _, key = target.partition("/")
        yield _Reference(f"secretEnv.{variable}", "Secret", secret, (key,))
    for path, volume in manifest.volumes.items():
        field = f"volumes.{path}"
        if volume.secret:
            yield _Reference(field, "Secret", volume.secret, tuple(volume.keys))
        if volume.config_map:
            yield _Reference(field, "ConfigMap", volume.config_map)
        if volume.secret_provider_class:
            yield _Reference(field, "SecretProviderClass", volume.secret_provider_class)


def _refuse_credentials(
    reference: _Reference, manifest: Manifest, environment: Environment
) -> None:
    """Refuse logins and tokens of the cluster, whatever the name of their Secret is."""
    field, secret = reference.field, reference.name
    for key in reference.keys:
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


def _is_own(name: str, manifest: Manifest) -> bool:
    return name == manifest.object_name or name.startswith(f"{manifest.object_name}-")


def _is_listed(reference: _Reference, environment: Environment) -> bool:
    return matches_any(_listed(reference, environment), reference.name)


def _listed(reference: _Reference, environment: Environment) -> tuple[str, ...]:
    cluster = environment.cluster
    return {
        "Secret": cluster.allowed_secrets,
        "ConfigMap": cluster.allowed_config_maps,
        "SecretProviderClass": cluster.allowed_secret_provider_classes,
    }[reference.kind]


def _also_listed(reference: _Reference, environment: Environment) -> str:
    listed = _listed(reference, environment)
    key = _LISTS[reference.kind]
    return f", and those in cluster.{key}: {', '.join(listed)}" if listed else ""


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
