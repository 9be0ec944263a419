"""Step ``validate``: turns the run conf into a release, or names the mistake in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from manifest_engine.domain.build import package_index
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest, run_conf
from manifest_engine.domain.rebuild import rebuild
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release import release
from manifest_engine.domain.workload import name_collisions, resources
from manifest_engine.hooks.core.connections import required
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.operators.rebuild import rebuild_gate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.manifest.manifest import Manifest
    from manifest_engine.domain.release.release import Release


class ValidateManifest(StepOperator):
    """Check the manifest and the installation, and plan the release.

    With ``dryRun`` the log shows the difference from the live release, and all later steps are
    skipped.

    XCom: the release (:class:`manifest_engine.domain.release.release.Release` as JSON), and
    ``dry_run``, the changes by object. A rebuild of a release that is no longer live also skips all
    later steps; XCom ``skipped`` says why.
    """

    def execute(self, context: Context) -> Any:
        planned = super().execute(context)
        if planned["manifest"]["dryRun"]:
            end_skipping(context, planned, self.get_flat_relative_ids(upstream=False))
        return planned

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when the manifest is wrong, or another service has the same object
            name.
        :raises NotAllowed: when the environment does not permit this deployment.
        :raises ConfigurationError: when the environment names a missing Connection.
        """
        dag_run = context["dag_run"]
        conf = dag_run.conf or {}
        by_dag = admission.requester(context).by_dag
        max_bytes = (
            run_conf.REBUILD_MAX_BYTES if by_dag and "rebuild" in conf else run_conf.MAX_BYTES
        )
        asked = manifest.parse(conf, max_bytes=max_bytes)
        from manifest_engine.services.workload import namespace_policy

        environment = environments.find(asked.environment, environments.load())
        admission.require_deploy(context, asked, environment)
        for connection, kind in _connections(asked, environment):
            with required(connection, kind, by=f"The environment {asked.environment!r}"):
                BaseHook.get_connection(connection)
        planned = release.plan(
            asked,
            environment,
            login_server=AcrHook(environment.registry.connection).login_server,
            run_id=dag_run.run_id,
            requested_at=dag_run.run_after,
            requested_by=admission.requester(context).name or _without_user(asked),
            by_dag=by_dag,
        )
        resources.require_recordable(planned)
        planned = namespace_policy.plan(planned, self.log)
        planned = self._compare_with_live(context, planned)
        if warning := names.tag_warning(asked.version):
            self.log.warning("%s", warning)
        self.log.info(
            "Release %s %s for %s, asked for by %s: %s becomes %s, %s",
            planned.name,
            asked.version,
            asked.environment,
            planned.requested_by,
            planned.artifact,
            planned.image,
            planned.reach,
        )
        if asked.dry_run:
            from manifest_engine.services.dry_run import dry_run

            changes = dry_run.preview(planned, self.log)
            listed = dry_run.report(planned, changes, self.log)
            context["ti"].xcom_push(key="dry_run", value=listed)
        return planned.dump()

    def _compare_with_live(self, context: Context, planned: Release) -> Release:
        """Add what later steps need of the live release: its digest and the changes by hand.

        :raises ManifestError: when another service has the same object name.
        :raises ClusterError: when objects were changed by hand and the run does not take them over.
        """
        from manifest_engine.services.drift import by_hand
        from manifest_engine.services.workload.workload import Workload

        workload = Workload.of(planned.environment, planned.name, log=self.log)
        try:
            live = workload.live()
        except ManifestEngineError as error:
            if planned.manifest.rebuild:
                raise
            # The later steps that need the cluster retry or fail.
            self.log.warning("The live release cannot be compared: %s", error)
            return planned
        if planned.manifest.rebuild:
            planned = rebuild_gate.admit(self, context, planned, live)
        else:
            name_collisions.refuse(planned.manifest.component, planned.manifest.service_name, live)
        if live is None:
            return planned
        planned = by_hand.admit(planned, workload.hook, live, self.log)
        if planned.manifest.rebuild or (
            live["metadata"]["labels"].get(label.VERSION) != planned.manifest.version
        ):
            return planned
        digest = annotation.read_annotations(live).get(annotation.DIGEST)
        return planned.model_copy(update={"live_digest": digest})


def _without_user(asked: Manifest) -> str:
    return rebuild.REQUESTED_BY if asked.rebuild else "unknown"


def _connections(asked: Manifest, environment: Environment) -> list[tuple[str, str]]:
    """Ids and types of the Connections that the release needs.

    :raises ManifestError: when the manifest needs a package index and the environment has none.
    """
    found = [
        (environment.artifactory.connection, "artifactory"),
        *((builder, "docker") for builder in environment.builders),
        (environment.registry.connection, "acr"),
        (environment.cluster.connection, "kubernetes or aks"),
        *((item.connection, "docker") for item in environment.build.registries),
    ]
    if index := package_index.offered(asked, environment):
        found.append((index.connection, "http"))
    return found
