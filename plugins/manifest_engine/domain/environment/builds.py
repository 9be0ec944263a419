"""The block ``build`` of an environment: what a build may use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from manifest_engine.domain.core.model import Model

UrlWithoutLogin = Annotated[str, StringConstraints(pattern=r"^https?://[^@\s]+$")]
Platform = Literal["linux/amd64", "linux/arm64"]
"""The platforms of AKS' Linux nodes."""
ARCHITECTURE = "kubernetes.io/arch"
"""Label of a node; its value is the platform without ``linux/``."""

ImagePattern = Annotated[
    str,
    StringConstraints(
        pattern=r"^(localhost|[a-z0-9-]+([.][a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)/[\w.:/*-]+$"
    ),
]
"""A normalized image reference in which ``*`` matches any characters. The host must not contain
``*``, which would match registries of other organisations."""

_SHARED = (
    "azurecr.io",
    "azurecr.cn",
    "azurecr.us",
    "jfrog.io",
    "amazonaws.com",
    "docker.io",
    "gcr.io",
    "pkg.dev",
    "ghcr.io",
    "quay.io",
    "gitlab.com",
)
"""Domains in which every customer of the provider gets a registry."""


def _registry_host(host: str) -> str:
    domain = host.removeprefix("*.")
    if domain != host and any(f".{domain}".endswith(f".{shared}") for shared in _SHARED):
        raise ValueError(
            f"{host!r} would send the login to registries of other organisations, because "
            f"anybody can have a registry in {domain}; write the full host"
        )
    return host


RegistryHost = Annotated[
    str,
    StringConstraints(
        pattern=r"^([*][.][a-z0-9-]+([.][a-z0-9-]+)+|[a-z0-9-]+([.][a-z0-9-]+)*(:[0-9]{1,5})?)$",
        max_length=253,
    ),
    AfterValidator(_registry_host),
]
"""The host of a registry; ``*.example.com`` means all hosts directly below the domain."""
Repository = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9-]+([.][a-z0-9-]+)*(:[0-9]{1,5})?(/[a-z0-9._-]+)*$", max_length=400
    ),
]
"""A registry's host, optionally with the first parts of a repository's name."""


class BaseRegistry(Model):
    """A registry with private base images, and the Connection with its login."""

    host: RegistryHost
    connection: str

    def covers(self, host: str) -> bool:
        """Whether the entry is for this host (with its port)."""
        if self.host.startswith("*."):
            return host.partition(".")[2] == self.host[2:]
        return host == self.host


class Build(Model):
    """What a build may use."""

    allowed_bases: tuple[ImagePattern, ...] | None = None
    registries: Annotated[tuple[BaseRegistry, ...], Field(max_length=32)] = ()
    syntax_mirror: Repository | None = None
    platforms: Annotated[tuple[Platform, ...], Field(max_length=2)] = ()
    network: Literal["open", "restricted"] = "open"
    proxy: UrlWithoutLogin | None = None
    no_proxy: str = ""

    @model_validator(mode="after")
    def _hosts_differ(self) -> Build:
        hosts = [item.host for item in self.registries]
        if twice := next((host for host in hosts if hosts.count(host) > 1), None):
            raise ValueError(f"registries has two entries for the host {twice!r}; keep one")
        return self

    @property
    def restricts_sources(self) -> bool:
        """Whether BuildKit must check the sources that a Dockerfile uses."""
        return self.allowed_bases is not None or self.network == "restricted"

    def registry_of(self, host: str) -> BaseRegistry | None:
        """The entry for a host; an entry without ``*`` takes precedence."""
        found = [item for item in self.registries if item.covers(host)]
        return min(found, key=lambda item: item.host.startswith("*"), default=None)
