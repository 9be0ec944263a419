"""Step ``validate_restart``: plans the live release again, with new pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import past as releases
from manifest_engine.domain.release import release
from manifest_engine.domain.release.request import ServiceRequest
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.operators.release.validate_rollback import deployed, hand_over

if TYPE_CHECKING:
    from airflow.sdk import Context


class ValidateRestart(StepOperator):
    """Plan the live release again, and check that its image still exists.

    No approval is needed: image and manifest are live already.

    XCom: as that of :class:`manifest_engine.operators.release.validate_rollback.ValidateRollback`.
    """

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when the service is not deployed, when another service has its name,
            or when the image was purged.
        :raises NotAllowed: when the user may not deploy, or the environment no longer permits the
            recorded manifest.
        :raises ClusterError: when objects were changed by hand.
        """
        from manifest_engine.hooks.kubernetes.cluster import ClusterHook
        from manifest_engine.services.drift import by_hand
        from manifest_engine.services.workload import namespace_policy

        dag_run = context["dag_run"]
        request = run_conf.parse(ServiceRequest, dag_run.conf or {}, "restart")
        environment = environments.find(request.environment, environments.load())
        admission.require_user(context, "deploy", request.environment, environment)
        _, live = deployed(request, environment, "restart")
        annotations = annotation.read_annotations(live)
        current = releases.read(annotations)
        try:
            recorded = current.manifest_for(request.environment) if current else None
        except ValidationError:
            recorded = None
        if current is None or recorded is None:
            raise ManifestError(
                f"The live Deployment of {request.object_name} records no release that this "
                "version of Manifest Engine can apply; deploy the service by deploy_service."
            )
        admission.require_deploy(context, recorded, environment)
        registry = AcrHook(environment.registry.connection)
        planned = release.plan(
            recorded.model_copy(update={"restart": True}),
            environment,
            login_server=registry.login_server,
            run_id=dag_run.run_id,
            requested_at=dag_run.run_after,
            requested_by=admission.requester(context).name or "unknown",
            restart=True,
        )
        planned = namespace_policy.plan(planned, self.log)
        image = planned.image_at(current.digest)
        if registry.api.find(planned.repository, current.digest) is None:
            raise ManifestError(
                f"The image of the live release is not in the registry any more ({image}), so new "
                f"pods could not pull it. Deploy {current.version} by deploy_service, which builds "
                "it again."
            )
        hook = ClusterHook(environment.cluster.connection)
        planned = by_hand.admit(planned, hook, live, self.log, digest=current.digest)
        self.log.info(
            "%s %s starts new pods, asked for by %s",
            planned.name,
            current,
            planned.requested_by,
        )
        return hand_over(context, planned, current, annotations.get(annotation.ROLLED_BACK_FROM))
