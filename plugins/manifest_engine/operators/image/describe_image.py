"""Step ``describe_image``: attaches a bill of materials to the image in the registry.

The step runs last: nothing waits for the step, and a failure does not fail the deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import BookkeepingStep

if TYPE_CHECKING:
    from airflow.sdk import Context

_LIST_SECONDS = 300
"""Limit for listing the image's content."""


class DescribeImage(BookkeepingStep):
    """Attach a CycloneDX SBOM as an OCI referrer, unless the image has one.

    XCom: ``sbom`` (digest of the attached SBOM, or None) and ``found`` (the image had an SBOM).

    :param release: XCom of ``validate``.
    :param push: XCom of ``push_image``.
    """

    template_fields = ("release", "push")

    def __init__(self, *, release: Any, push: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.push = push

    def run(self, context: Context) -> dict[str, Any]:
        from manifest_engine.hooks.builder import sbom
        from manifest_engine.hooks.registry.acr import AcrHook

        release = releases.load(self.release)
        pushed = releases.pushed_digest(self.push)
        acr = AcrHook(release.environment.registry.connection)
        try:
            attached = acr.api.referrers(release.repository, pushed)
            if attached.has(sbom.MEDIA_TYPE):
                return {"sbom": None, "found": True}
            verify = acr.verify
            content = sbom.bill_of_materials(
                self.push["image"],
                acr.docker_login(),
                ca_file=verify if isinstance(verify, str) else None,
                deadline_seconds=_LIST_SECONDS,
            )
            digest = attached.attach(sbom.MEDIA_TYPE, content)
        except Exception as error:
            self.log.warning("The image has no bill of materials: %s", error)
            return {"sbom": None, "found": False}
        self.log.info("Attached a bill of materials of %d bytes: %s", len(content), digest)
        return {"sbom": digest, "found": False}
