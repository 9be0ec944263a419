"""The release: the plan derived from a manifest, with everything that later steps need."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError, NothingHandedOver
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.amounts import DEFAULTS, Resources
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest.manifest import Manifest


class Release(Model):
    """The plan of one deployment. Tasks pass it on as one XCom; it contains no secret."""

    model_config = ConfigDict(validate_by_name=True)

    manifest: Manifest
    environment: Environment
    run_id: str
    requested_at: datetime
    """When the run was requested (UTC). A run older than the live release is superseded."""
    renews_request_at: datetime | None = None
    """On a rebuild: the request time of the deployment that the rebuild renews. A deployment
    requested after this time is not superseded by the rebuild."""
    requested_by: str
    login_server: str
    """Host and optional port of the registry, from its Airflow connection."""
    tag: str
    by_dag: bool = False
    """Whether Airflow reports that another DAG started the run. Only an installed DAG can start a
    run of this type, so the ``rebuild`` block can be trusted."""
    rollback: bool = False
    """Whether ``rollback_service`` planned the release; environments can exempt rollbacks from
    approval."""
    restart: bool = False
    """Whether ``restart_service`` planned the release: the live release with new pods."""
    non_root: bool = False
    """Whether the namespace or the environment takes no pod that may run as root."""
    live_digest: str | None = None
    """Digest of the image that was live under this version when the release was planned."""
    taken_over: tuple[tuple[str, str, str], ...] = ()
    """The changes by hand that ``validate`` found and that ``takeOver`` overwrites: kind of the
    object, field manager and field."""

    @property
    def environment_name(self) -> str:
        return self.manifest.environment

    @property
    def name(self) -> str:
        """Name of the release's Kubernetes objects."""
        return names.object_name(self.manifest.component, self.manifest.service_name)

    @property
    def repository(self) -> str:
        """Repository in the registry, without the login server."""
        return names.repository(self.manifest.component, self.manifest.service_name)

    @property
    def image(self) -> str:
        """Full image reference by tag."""
        return f"{self.login_server}/{self.repository}:{self.tag}"

    @property
    def cache_image(self) -> str:
        """Full reference of the image that carries the build cache."""
        return f"{self.login_server}/{self.repository}:{names.CACHE_TAG}"

    def image_at(self, digest: str) -> str:
        """Full image reference by digest (``sha256:<hex>``), as the cluster runs the image."""
        return f"{self.login_server}/{self.repository}@{digest}"

    @property
    def artifact(self) -> str:
        """Path of the ZIP in Artifactory."""
        return self.manifest.artifact or names.artifact_path(
            self.environment.artifactory.repository,
            self.manifest.component,
            self.manifest.service_name,
            self.manifest.version,
        )

    @property
    def route_path(self) -> str:
        return names.route_path(self.manifest.component, self.manifest.service_name)

    @property
    def url(self) -> str:
        """The URL of the service: public or, for an internal service, inside the cluster."""
        if self.manifest.internal:
            return f"http://{self.name}.{self.environment.cluster.namespace}.svc"
        return self.environment.routing.url + self.route_path

    @property
    def platform(self) -> str | None:
        """Platform of the image and of the pods' nodes; None for the builder's platform."""
        return self.manifest.platform or next(iter(self.environment.build.platforms), None)

    @property
    def reach(self) -> str:
        """Whether the service is public or internal, and its URL."""
        if self.manifest.internal:
            return f"internal, inside the cluster at {self.url}"
        return f"public at {self.url}"

    @property
    def resources(self) -> Resources:
        """Requests and limits: of the manifest, else of the environment, else the defaults."""
        asked = self.manifest.resources or Resources()
        return asked.over(self.environment.pods.resources).over(DEFAULTS)


def plan(
    manifest: Manifest,
    environment: Environment,
    *,
    login_server: str,
    run_id: str,
    requested_at: datetime,
    requested_by: str,
    by_dag: bool = False,
    rollback: bool = False,
    restart: bool = False,
) -> Release:
    """Derive the release of a manifest.

    :raises ManifestError: when the names do not fit the registry's limits, or a request exceeds a
        default limit.
    """
    release = Release(
        manifest=manifest,
        environment=environment,
        run_id=run_id,
        requested_at=requested_at,
        requested_by=requested_by,
        login_server=login_server,
        tag=manifest.version,
        by_dag=by_dag,
        rollback=rollback,
        restart=restart,
    )
    reference = f"{login_server}/{release.repository}"
    if len(reference) > names.REFERENCE_MAX:
        raise ManifestError(
            f"The image's name {reference!r} has {len(reference)} characters; many clients take "
            f"{names.REFERENCE_MAX}. Shorten component or serviceName."
        )
    if problem := release.resources.problem():
        raise ManifestError(
            f"resources: {problem}, where one of the two is a default of {manifest.environment!r}; "
            "give both in the manifest."
        )
    return release


def pushed_digest(push: Any) -> str:
    """The image digest (``sha256:<hex>``) in the XCom of ``push_image``.

    :raises NothingHandedOver: when ``push_image`` returned no digest.
    """
    if not push or not push.get("digest"):
        raise NothingHandedOver("image digest", "push_image")
    return str(push["digest"])


def load(data: Any) -> Release:
    """Read a release from XCom.

    :raises NothingHandedOver: when ``validate`` returned no release.
    """
    if not data:
        raise NothingHandedOver("release", "validate")
    return Release.model_validate(data, strict=False)
