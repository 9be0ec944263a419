"""The schema of ``include/environments.yaml``. The comments in that file explain each key."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from manifest_engine.domain.core import names
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.access import Access
from manifest_engine.domain.environment.builds import Build, UrlWithoutLogin
from manifest_engine.domain.environment.inbound import Webhook
from manifest_engine.domain.environment.patterns import LabelPattern, Pattern
from manifest_engine.domain.environment.pods import Pods
from manifest_engine.domain.environment.tell import Notify, Sink

DnsLabel = Annotated[str, StringConstraints(pattern=names.DNS_LABEL)]


class Artifactory(Model):
    """Where artifacts come from."""

    connection: str
    repository: str
    allowed_repositories: tuple[str, ...] = ()


class PackageIndex(Model):
    """The private Python package index with ``internal-utils``."""

    connection: str
    mode: Literal["only", "first"] = "only"
    public_url: UrlWithoutLogin | None = None
    offered_to: Literal["utilsVersion", "all"] = "utilsVersion"


class Registry(Model):
    """The Azure Container Registry. The connection's host is the login server."""

    connection: str


class Cluster(Model):
    """The Kubernetes cluster and how pods run there."""

    connection: str
    namespace: DnsLabel
    image_pull_secrets: tuple[str, ...] = ()
    allowed_secrets: tuple[Pattern, ...] = ()
    allowed_config_maps: tuple[Pattern, ...] = ()
    allowed_secret_provider_classes: tuple[Pattern, ...] = ()
    allowed_service_accounts: tuple[Pattern, ...] = ()
    allowed_labels: tuple[LabelPattern, ...] = ()
    service_account: str | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    force_conflicts: bool = False
    drift: Literal["takeBack", "refuse", "report"] = "takeBack"
    max_shutdown_seconds: int = Field(300, ge=1, le=86_400)
    min_ready_seconds: int = Field(10, ge=0, le=120)
    pending_seconds: int = Field(240, ge=10, le=3600)


class Gateway(Model):
    """The Gateway that HTTPRoutes attach to (Gateway API)."""

    name: DnsLabel
    namespace: DnsLabel
    section: str | None = None


class Ingress(Model):
    """The IngressClass of an environment that routes by Ingress."""

    class_name: str


class Routing(Model):
    """How the public reaches the services."""

    api: Literal["gateway", "ingress"] = "gateway"
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]
    host: str | None = None
    gateway: Gateway | None = None
    ingress: Ingress | None = None
    max_timeout_seconds: int = Field(300, ge=1, le=86_400)
    allow_no_timeout: bool = True

    @model_validator(mode="after")
    def _has_its_block(self) -> Routing:
        if getattr(self, self.api) is None:
            raise ValueError(f"api is {self.api!r}, so the block {self.api!r} must be given")
        return self


class Limits(Model):
    """Limits of an artifact, against ZIP bombs and mistakes."""

    total_mebibytes: int = Field(4096, ge=1)
    members: int = Field(100_000, ge=1)
    ratio: int = Field(200, ge=1)


class Approval(Model):
    """Deployments, rollbacks and removals wait until a user approves them."""

    approvers: tuple[str, ...] = ()
    timeout_minutes: int = Field(24 * 60, ge=1)
    exempt_rebuilds: bool = False
    exempt_rollbacks: bool = False
    self_approval: bool = True


class NightlyRebuilds(Model):
    """Whether and in which order nightly runs rebuild the services of an environment."""

    enabled: bool = True
    after: DnsLabel | None = None
    soak_hours: float = Field(24, ge=0, le=24 * 90)


class Environment(Model):
    """One deployment target."""

    description: str = ""
    artifactory: Artifactory
    builders: tuple[str, ...] = Field(min_length=1)
    build: Build = Build()
    package_index: PackageIndex | None = None
    registry: Registry
    cluster: Cluster
    pods: Pods = Pods()
    routing: Routing
    limits: Limits = Limits()
    approval: Approval | None = None
    access: Access = Access()
    rebuilds: NightlyRebuilds = NightlyRebuilds()
    events: tuple[Sink, ...] = ()
    notify: tuple[Notify, ...] = ()
    metrics: bool = False
    webhook: Webhook | None = None

    @field_validator("approval", mode="before")
    @classmethod
    def _true_is_anyone(cls, given: Any) -> Any:
        return {True: {}, False: None}[given] if isinstance(given, bool) else given

    @model_validator(mode="after")
    def _approvers_are_asked(self) -> Environment:
        listed = self.access.approve
        if listed and self.approval is None:
            raise ValueError(
                "access.approve lists who may answer, and without the block approval nobody is "
                "asked: add `approval: true`, or leave access.approve out"
            )
        if listed and self.approval and self.approval.approvers not in ((), listed):
            raise ValueError(
                "access.approve and approval.approvers mean the same and differ here; keep one"
            )
        return self

    @property
    def tells(self) -> bool:
        """Whether events, chat messages or metrics are configured."""
        return bool(self.events or self.notify or self.metrics)

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who may answer an approval: users and ``role:NAME``; empty for everybody."""
        return self.access.approve or (self.approval.approvers if self.approval else ())


class Rebuilds(Model):
    """When ``rebuild_services`` runs, and how many rebuilds run at once."""

    cron: str = "30 2 * * *"
    timezone: str = "UTC"
    at_once: int = Field(4, ge=1, le=16)  # of the 32 builds at once of deploy_service

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:  # OSError: a folder of zones
            raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin") from error
        return name
