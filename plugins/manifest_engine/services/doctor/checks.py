"""The checks of an environment, by part of the installation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

from manifest_engine import __version__
from manifest_engine.domain.core.errors import ConfigurationError, RegistryError
from manifest_engine.domain.doctor.finding import NotNeeded
from manifest_engine.domain.image import registry_advice
from manifest_engine.hooks.core.connections import kind_of
from manifest_engine.services.doctor import cluster_checks
from manifest_engine.services.doctor.examination import Check

if TYPE_CHECKING:
    from manifest_engine.domain.environment.builds import BaseRegistry
    from manifest_engine.domain.environment.environment import Environment, PackageIndex

SAMPLE = ("installation", "check")
"""Component and service of a release that is never made."""
_REPOSITORY = "/".join(("datafactory", *SAMPLE))
_DISTRIBUTIONS = (
    "apache-airflow",
    *(
        f"apache-airflow-providers-{name}"
        for name in ("cncf-kubernetes", "docker", "microsoft-azure", "standard")
    ),
)
_REQUEST_SECONDS = 8.0
"""Limit for one request to the registry with its retries, below the limit of a check."""


def of(name: str, environment: Environment) -> dict[str, Sequence[Check]]:
    """The checks of each part, in the order of a deployment.

    :param name: name of the environment.
    """
    parts: dict[str, Sequence[Check]] = {
        "packages": [Check("version", _packages)],
        f"artifactory {environment.artifactory.connection}": _artifactory(environment),
        "artifact store": [Check("read", _store)],
        "buildx": [Check("version", _buildx)],
        f"registry {environment.registry.connection}": _registry(environment),
    }
    for builder in environment.builders:
        parts[f"builder {builder}"] = _builder(environment, builder)
    for other in environment.build.registries:
        parts[f"base registry {other.host}"] = _base_registry(other)
    if index := environment.package_index:
        parts[f"package index {index.connection}"] = _package_index(index)
    return parts | cluster_checks.of(name, environment, SAMPLE)


def connection(conn_id: str, *kinds: str) -> Check:
    """Whether the Airflow Connection exists."""
    return Check("Connection", lambda: f"Has type {kind_of(conn_id, *kinds)}.", gate=True)


def _artifactory(environment: Environment) -> list[Check]:
    from manifest_engine.hooks.artifactory.hook import ArtifactoryHook

    given = environment.artifactory
    hook = ArtifactoryHook(given.connection, attempts=1)

    def ping() -> str:
        ok, text = hook.test_connection()
        if not ok:
            raise ConfigurationError(text)
        return text

    def readable(repository: str) -> str:
        hook.require_repository(repository)
        return "The Connection may read this repository."

    repositories = dict.fromkeys((given.repository, *given.allowed_repositories))
    return [
        connection(given.connection, "artifactory"),
        Check("ping", ping, gate=True),
        *(Check(f"repository {item}", partial(readable, item)) for item in repositories),
    ]


def _packages() -> str:
    """Versions of the package, of Airflow and of the providers that the package uses."""
    found = []
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError as error:
            raise ConfigurationError(f"{name} is not installed; see docs/install.md.") from error
    return ", ".join([f"manifest-engine {__version__}", *found]) + "."


def _store() -> str:
    from manifest_engine.hooks.storage.artifact_store import ArtifactStore

    store = ArtifactStore()
    store.size("0" * 64)
    shared = "; all workers must run on this machine" if store.root.startswith("file:") else ""
    return f"{store.root} can be read{shared}."


def _buildx() -> str:
    from manifest_engine.hooks.builder import buildx

    return buildx.version()


def _registry(environment: Environment) -> list[Check]:
    from manifest_engine.hooks.registry.acr import AcrHook

    conn_id = environment.registry.connection
    hook = AcrHook(conn_id, deadline_seconds=_REQUEST_SECONDS)

    def login() -> str:
        hook.api.check()
        return f"{hook.login_server} accepts the identity."

    def push() -> str:
        granted = hook.api.granted(_REPOSITORY)
        if granted is None:
            if hook.api.may_push(_REPOSITORY):
                return "An upload was begun and cancelled."
            granted = frozenset()
        if missing := sorted({"pull", "push"} - granted):
            raise RegistryError(
                f"{hook.login_server} does not grant {' and '.join(missing)} on datafactory/*: "
                f"{registry_advice.MISSING_ROLE}; a token of the registry needs content/read, "
                "content/write and metadata/read."
            )
        return "A token for datafactory/* grants pull and push."

    def referrers() -> str:
        if hook.api.has_referrers_api(_REPOSITORY):
            return "The registry has the referrers API."
        raise NotNeeded(
            "The registry shows no referrers API for a repository without content; a tag lists "
            "attached content where the API is missing."
        )

    return [
        connection(conn_id, "acr"),
        Check("login", login, gate=True),
        Check("push", push),
        Check("referrers", referrers),
    ]


def _builder(environment: Environment, conn_id: str) -> list[Check]:
    from manifest_engine.hooks.builder.hook import BuilderHook

    def engine() -> str:
        with BuilderHook(conn_id) as builder:
            builder.ping()
            builder.require(environment.build)
            return builder.version()

    return [connection(conn_id, "docker"), Check("engine", engine)]


def _base_registry(given: BaseRegistry) -> list[Check]:
    from manifest_engine.hooks.registry import base_registry

    def login() -> str:
        base_registry.login(given, given.host)
        return "The Connection has a login for base images of this registry."

    return [connection(given.connection, *base_registry.KINDS), Check("login", login)]


def _package_index(index: PackageIndex) -> list[Check]:
    from manifest_engine.hooks.package_index.hook import PackageIndexHook

    def login() -> str:
        import requests

        hook = PackageIndexHook(index.connection)
        hook.secrets(index)
        try:
            status = hook.login_status()
        except requests.RequestException as error:
            raise NotNeeded(
                f"{hook.url} cannot be reached from this machine ({type(error).__name__}), which "
                "does not matter if the builders reach it."
            ) from error
        if status >= 400:
            raise NotNeeded(
                f"{hook.url} answers HTTP {status} for internal-utils; builds whose manifest sets "
                "utilsVersion need that package."
            )
        return f"{hook.url} accepts the login and has internal-utils."

    return [connection(index.connection, "http", "generic"), Check("login", login)]
