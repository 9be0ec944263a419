"""The release: the plan derived from a manifest, with all that later steps need."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError, NothingHandedOver
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest.manifest import Manifest


class Release(Model):
    """One deployment's plan; passed between tasks as one XCom, without secrets."""

    model_config = ConfigDict(validate_by_name=True)

    manifest: Manifest
    environment: Environment
    run_id: str
    requested_at: datetime
    """When the run was asked for (UTC): a run older than the live release is superseded."""
    renews_request_at: datetime | None = None
    """Of a rebuild: when the deployment that it renews was asked for. What was asked for after that
    is not superseded by the rebuild."""
    requested_by: str
    login_server: str
    """Host, and port if it has one, of the registry: data of its connection."""
    tag: str
    by_dag: bool = False
    """Whether another DAG started the run, as Airflow itself tells; only one that is installed can,
    so that what a rebuild says of itself is to be believed."""
    rollback: bool = False
    """Whether ``rollback_service`` planned it: an environment may ask for no approval then."""
    live_digest: str | None = None
    """Of the image that was live under this version when this was planned."""

    @property
    def environment_name(self) -> str:
        return self.manifest.environment

    @property
    def name(self) -> str:
        """Name of the Kubernetes objects."""
        return names.object_name(self.manifest.component, self.manifest.service_name)

    @property
    def repository(self) -> str:
        """Repository in the registry, without the login server."""
        return names.repository(self.manifest.component, self.manifest.service_name)

    @property
    def image(self) -> str:
        """Full reference with tag."""
        return f"{self.login_server}/{self.repository}:{self.tag}"

    @property
    def cache_image(self) -> str:
        """The image that carries the build cache."""
        return f"{self.login_server}/{self.repository}:{names.CACHE_TAG}"

    def image_at(self, digest: str) -> str:
        """Full reference by digest (``sha256:<hex>``), as the cluster runs it."""
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
        """The public URL of the service."""
        return self.environment.routing.url + self.route_path

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


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
) -> Release:
    """Derive the release of a manifest.

    :raises ManifestError: when the names do not fit the registry's limits.
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
    )
    reference = f"{login_server}/{release.repository}"
    if len(reference) > names.REFERENCE_MAX:
        raise ManifestError(
            f"The image's name {reference!r} has {len(reference)} characters; many clients take "
            f"{names.REFERENCE_MAX}. Shorten component or serviceName."
        )
    return release


def pushed_digest(push: Any) -> str:
    """The image's digest (``sha256:…``) as ``push_image`` leaves it.

    :raises NothingHandedOver: when ``push_image`` returned none.
    """
    if not push or not push.get("digest"):
        raise NothingHandedOver("image digest", "push_image")
    return str(push["digest"])


def load(data: Any) -> Release:
    """Read a release from XCom.

    :raises NothingHandedOver: when ``validate`` returned none.
    """
    if not data:
        raise NothingHandedOver("release", "validate")
    return Release.model_validate(data, strict=False)
