"""Links on Airflow's page of a task: to the deployment's page, and to the service's public URL.

Airflow's API server computes the links when a user opens the page, so tasks do no work for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey

STEPS = (
    "approval.approve.Approve",
    "artifact.download_artifact.DownloadArtifact",
    "image.build_image.BuildImage",
    "image.describe_image.DescribeImage",
    "image.push_image.PushImage",
    "manifest.validate_manifest.ValidateManifest",
    "record.record_release.RecordRelease",
    "release.validate_restart.ValidateRestart",
    "release.validate_rollback.ValidateRollback",
    "removal.approve_removal.ApproveRemoval",
    "removal.remove_service.RecordRemoval",
    "removal.remove_service.RemoveRoute",
    "removal.remove_service.RemoveWorkload",
    "removal.remove_service.ValidateRemoval",
    "route.publish_route.PublishRoute",
    "smoke.smoke_test.SmokeTest",
    "workload.apply_deployment.ApplyDeployment",
    "workload.watch_release.WatchRelease",
)
"""Operators with the links, as paths below ``manifest_engine.operators``."""


def _named(path: str) -> type:
    """A stand-in for an operator: Airflow compares only the module and the name.

    To import the operators would slow down every component of Airflow.
    """
    module, _, name = f"manifest_engine.operators.{path}".rpartition(".")
    return type(name, (), {"__module__": module})


class DeploymentLink(BaseOperatorLink):
    """Link to the page of the deployment."""

    operators = [_named(path) for path in STEPS]  # noqa: RUF012  (Airflow's own declaration)

    @property
    def name(self) -> str:
        return "Deployment"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        from airflow.sdk.configuration import conf

        base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
        page = f"{base}/manifest-engine/ui/deployments/{quote(ti_key.run_id, safe='')}"
        return f"{base}/plugin/services{page}"


class ServiceLink(BaseOperatorLink):
    """Link to the public URL, once the service answers there."""

    operators = [  # noqa: RUF012
        _named(path)
        for path in STEPS
        if path.startswith(("route.", "record.", "workload.watch_release"))
    ]

    @property
    def name(self) -> str:
        return "Service"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        from manifest_engine.api import airflow_internals
        from manifest_engine.domain.record import deployment

        facts = airflow_internals.facts([ti_key.run_id]).get(ti_key.run_id)
        return str(deployment.summary(facts)["url"] or "") if facts else ""
