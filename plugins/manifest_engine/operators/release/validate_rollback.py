"""Step ``validate_rollback``: finds an earlier release in the cluster and plans it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.pod import pod_security
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import past as releases
from manifest_engine.domain.release import provenance, release, rollback
from manifest_engine.domain.workload import name_collisions
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.operators.events import runs

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.manifest.manifest import Manifest
    from manifest_engine.domain.release.past import PastRelease
    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.release.request import ServiceRequest
    from manifest_engine.domain.release.rollback import RollbackRequest
    from manifest_engine.services.workload.workload import Workload

PUSH = "push"
"""XCom key: replaces the XCom of ``push_image``."""
ARTIFACT = "artifact"
"""XCom key: replaces the XCom of ``download_artifact``."""


class ValidateRollback(StepOperator):
    """Find the release to return to, and check that its image exists.

    XCom: the release in the format of ``validate``, with the recorded manifest and the time of this
    run; ``push`` with the recorded digest and ``artifact`` with the recorded checksum, for the
    later steps. With ``dryRun`` all later steps are skipped; XCom ``choices`` lists the releases,
    ``dry_run`` the changes by object.

    :param approval: id of the task that asks for an approval; skipped when the environment asks for
        none.
    """

    def __init__(self, *, approval: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approval = approval

    def execute(self, context: Context) -> Any:
        planned = super().execute(context)
        if planned["manifest"]["dryRun"]:
            end_skipping(context, planned, self.get_flat_relative_ids(upstream=False))
        if self.approval and not approval.is_needed(release.load(planned)):
            end_skipping(context, planned, [self.approval])
        if self.approval:
            runs.record_wait(self, context, planned["manifest"]["environment"])
        return planned

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when there is no such release, listing the available releases, or
            when another service has the same object name.
        :raises NotAllowed: when the user may not deploy, or the environment no longer permits the
            recorded manifest.
        :raises ClusterError: when objects were changed by hand and the run does not take them over.
        """
        from manifest_engine.hooks.kubernetes.cluster import ClusterHook
        from manifest_engine.services.drift import by_hand
        from manifest_engine.services.workload import namespace_policy

        dag_run = context["dag_run"]
        request = rollback.parse(dag_run.conf or {})
        environment = environments.find(request.environment, environments.load())
        admission.require_user(context, "deploy", request.environment, environment)
        target, past, live = _find(request, environment)
        registry = AcrHook(environment.registry.connection)
        recorded = _manifest(target, request)
        try:
            admission.require_deploy(context, recorded, environment)
        except NotAllowed as error:
            raise NotAllowed(
                f"{error} This is the recorded manifest of {target}; deploy the version with "
                "deploy_service and a manifest that is allowed now."
            ) from error
        planned = release.plan(
            recorded,
            environment,
            login_server=registry.login_server,
            run_id=dag_run.run_id,
            requested_at=dag_run.run_after,
            requested_by=admission.requester(context).name or "unknown",
            rollback=True,
        )
        planned = namespace_policy.plan(planned, self.log)
        image = registry.api.find(planned.repository, target.digest)
        if image is None:
            others = [item for item in past if item.digest != target.digest]
            raise ManifestError(_purged(planned, target, rollback.available(live, others)))
        pod_security.require_user(planned, image.user)
        self.log.info(
            "%s returns to %s, asked for by %s", planned.name, target, planned.requested_by
        )
        hook = ClusterHook(environment.cluster.connection)
        planned = by_hand.admit(planned, hook, live, self.log, digest=target.digest)
        if request.dry_run:
            self._preview(context, planned, target, rollback.choices(live, past))
            return planned.dump()
        replaced = annotation.read_annotations(live).get(annotation.BUILT_FROM)
        return hand_over(context, planned, target, replaced)

    def _preview(
        self, context: Context, planned: Release, target: PastRelease, choices: list[str]
    ) -> None:
        from manifest_engine.services.dry_run import dry_run
        from manifest_engine.services.dry_run.cluster import DryRunHook

        self.log.info("The cluster has kept these releases, newest first:")
        for choice in choices:
            self.log.info("  %s", choice)
        hook = DryRunHook(planned.environment.cluster.connection)
        artifact = {"sha256": target.artifact_sha256}
        dry_run.in_cluster(planned, hook, target.digest, artifact, self.log)
        listed = dry_run.report(planned, hook.changes, self.log)
        context["ti"].xcom_push(key="choices", value=choices)
        context["ti"].xcom_push(key="dry_run", value=listed)


def hand_over(
    context: Context, planned: Release, source: PastRelease, replaced: str | None
) -> dict[str, Any]:
    """Push the XComs of a recorded release instead of those of a build; returns the step's XCom.

    :param replaced: provenance of the image that a rollback replaces, as an annotation value.
    """
    found = provenance.read(replaced)
    pushed = {
        "digest": source.digest,
        "image": planned.image_at(source.digest),
        "builtFrom": source.provenance,
        "rolledBackFrom": found.dump() if found else None,
    }
    context["ti"].xcom_push(key=PUSH, value=pushed)
    context["ti"].xcom_push(key=ARTIFACT, value={"sha256": source.artifact_sha256})
    return planned.dump()


def _find(
    request: RollbackRequest, environment: Environment
) -> tuple[PastRelease, list[PastRelease], dict[str, Any]]:
    workload, live = deployed(request, environment, "roll back")
    past = releases.past_releases(live, workload.replica_sets())
    return rollback.choose(request, live, past), past, live


def deployed(
    request: ServiceRequest, environment: Environment, what: str
) -> tuple[Workload, dict[str, Any]]:
    """The objects of a deployed service, and its live Deployment.

    :param what: what the run does with the service, such as ``roll back``.
    :raises ManifestError: when the service is not deployed, or another service has its name.
    """
    from manifest_engine.services.workload.workload import Workload

    name = request.object_name
    workload = Workload.of(environment, name)
    live = workload.live()
    if live is None:
        raise ManifestError(
            f"{name} is not deployed in the environment {request.environment!r} (namespace "
            f"{workload.namespace!r}), so there is nothing to {what}; check component and "
            "serviceName, or deploy it by deploy_service."
        )
    name_collisions.refuse(request.component, request.service_name, live)
    return workload, live


def _manifest(target: PastRelease, request: RollbackRequest) -> Manifest:
    try:
        recorded = target.manifest_for(request.environment)
        return recorded.model_copy(
            update={"dry_run": request.dry_run, "take_over": request.take_over}
        )
    except ValidationError as error:
        raise ManifestError(
            f"The recorded manifest of {target} is not valid any more ({error.error_count()} "
            "problems); deploy the version by deploy_service."
        ) from error


def _purged(planned: Release, target: PastRelease, others: str) -> str:
    return (
        f"The image of {target} is not in the registry any more "
        f"({planned.image_at(target.digest)}): it was deleted or purged. Deploy "
        f"{target.version} by deploy_service, which builds it again, or choose another one. "
        f"{others}"
    )
