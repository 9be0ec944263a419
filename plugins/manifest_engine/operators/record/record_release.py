"""Step ``record_release``: records the release as an asset event and as the run's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import BookkeepingStep

if TYPE_CHECKING:
    from airflow.sdk import Context

RELEASES = Asset(name="datafactory-releases", uri="manifest-engine://releases")
"""Each release is an event of this asset, with the summary as ``extra``."""


class RecordRelease(BookkeepingStep):
    """Record the live release: who asked, when, and the artifact, the image and the URL.

    XCom: the summary as a flat object, equal to the ``extra`` of the asset event.

    :param release: XCom of ``validate``.
    :param artifact: XCom of ``download_artifact``.
    :param push: XCom of ``push_image``.
    :param deployment: XCom of ``apply_deployment``.
    :param route: XCom of ``publish_route``.
    """

    template_fields: Sequence[str] = ("release", "artifact", "push", "deployment", "route")

    def __init__(
        self, *, release: Any, artifact: Any, push: Any, deployment: Any, route: Any, **kwargs: Any
    ) -> None:
        super().__init__(outlets=[RELEASES], **kwargs)
        self.release = release
        self.artifact = artifact
        self.push = push
        self.deployment = deployment
        self.route = route

    def run(self, context: Context) -> dict[str, Any]:
        """Summarise and record."""
        release = releases.load(self.release)
        manifest = release.manifest
        artifact, push = self.artifact or {}, self.push or {}
        deployment, route = self.deployment or {}, self.route or {}
        summary = {
            "url": route.get("url", release.url),
            "component": manifest.component,
            "serviceName": manifest.service_name,
            "version": manifest.version,
            "environment": manifest.environment,
            "image": push.get("image", release.image),
            "digest": push.get("digest"),
            "artifact": release.artifact,
            "artifactSha256": artifact.get("sha256"),
            "changed": deployment.get("changed"),
            "replicas": deployment.get("replicas"),
            "overwritten": deployment.get("overwritten") or [],
            "runId": release.run_id,
            "requestedBy": release.requested_by,
            "requestedAt": release.requested_at.isoformat(),
            "owner": manifest.owner,
            "notes": manifest.notes,
        }
        context["outlet_events"][RELEASES].extra = summary
        state = "is live" if summary["changed"] else "was live already, nothing had to change"
        self.log.info("%s %s %s at %s", release.name, manifest.version, state, summary["url"])
        return summary
