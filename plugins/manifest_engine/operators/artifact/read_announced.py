"""Step ``read_manifest``: makes the run conf that deploys an announced ZIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException
from pydantic import ValidationError

from manifest_engine.domain.artifact import announced
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ArtifactError, ManifestError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.release import labels as label
from manifest_engine.operators.core.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.artifact.announced import Announcement
    from manifest_engine.domain.environment.environment import Environment


class ReadAnnounced(StepOperator):
    """Read ``manifest.json`` in the ZIP, and skip a version that is older than the live release.

    The artifact store keeps the ZIP, so the deployment does not download the ZIP again.

    XCom: the run conf of ``deploy_service``.
    """

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when the conf is not an announcement.
        :raises NotAllowed: when ``webhook.paths`` of the environment does not cover the ZIP.
        :raises ArtifactError: when the ZIP is missing, was replaced or has no valid manifest.
        """
        try:
            found = announced.Announcement.model_validate(context["dag_run"].conf or {})
        except ValidationError as error:
            raise ManifestError(
                "The run's conf must have environment, artifact and artifactSha256 of a ZIP; it "
                f"has {error.error_count()} problems."
            ) from error
        environment = environments.find(found.environment, environments.load())
        block = environment.webhook
        if block is None or not block.takes(found.artifact):
            raise NotAllowed(
                f"The webhook may not deploy {found.artifact} to {found.environment!r}: no pattern "
                "of webhook.paths in environments.yaml covers this path."
            )
        conf = announced.manifest(found, self._in_zip(found, environment), block.manifest)
        if sentence := announced.older(conf.get("version"), _live_version(conf, environment)):
            self.log.info("%s", sentence)
            raise AirflowSkipException(sentence)
        return conf

    def _in_zip(self, found: Announcement, environment: Environment) -> bytes | None:
        from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
        from manifest_engine.hooks.storage.artifact_store import ArtifactStore

        hook = ArtifactoryHook(environment.artifactory.connection)
        info = hook.file_info(found.artifact)
        if info.sha256 != found.artifact_sha256:
            raise ArtifactError(
                f"{info.uri} has the sha256 {info.sha256}, but the announced ZIP had "
                f"{found.artifact_sha256}: the ZIP was replaced. The announcement of the new ZIP "
                "starts another run."
            )
        store = ArtifactStore()
        if not store.has(info.sha256, info.size):
            store.put(hook.download(info), info.sha256)
        with store.open(info.sha256) as file:
            content = open_archive(file, environment.limits).content(announced.MANIFEST)
        if content is not None and len(content) > announced.MANIFEST_MAX:
            raise ArtifactError(
                f"{announced.MANIFEST} in {found.artifact} has {len(content)} bytes; at most "
                f"{announced.MANIFEST_MAX} are allowed."
            )
        return content


def _live_version(conf: dict[str, Any], environment: Environment) -> str | None:
    """The live version; None if none is live, and for invalid names, which ``validate`` refuses."""
    from manifest_engine.services.workload.workload import Workload

    component, service_name = conf.get("component"), conf.get("serviceName")
    if not isinstance(component, str) or not isinstance(service_name, str):
        return None
    name = names.object_name(component, service_name)
    if len(name) > names.LABEL_MAX or not name.isascii() or not name.replace("-", "").isalnum():
        return None
    live = Workload.of(environment, name).live()
    return ((live or {}).get("metadata", {}).get("labels") or {}).get(label.VERSION)
