"""Step ``apply_deployment``: applies the release's objects and rolls a failed release back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history, provenance
from manifest_engine.domain.release import release as releases
from manifest_engine.domain.smoke import verdict
from manifest_engine.domain.workload import resources, rollout
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.lease_step import LeaseStep, released_on_failure
from manifest_engine.operators.core.step import WAITING_KEY, report_failure
from manifest_engine.operators.rebuild import rebuild_gate
from manifest_engine.operators.workload.rollout_trigger import RolloutTrigger
from manifest_engine.services.image import live_mark, purged_image
from manifest_engine.services.workload import failed_rollout, pod_inputs

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.services.workload.workload import Workload

WATCH_SECONDS = 15.0
"""Most rollouts end earlier. A deferral costs 2 to 3 s."""


class ApplyDeployment(LeaseStep):
    """Apply Deployment, Service and their related objects, and follow the rollout to its end.

    Applying the same release again changes nothing. If the new pods do not become available, the
    step applies the objects of the last good release again and fails with the reason.

    The step ends when all new pods are ready; ``watch_release`` waits until the old pods are gone.

    XCom: ``deployment``, ``generation``, ``changed``, ``first`` (whether the service was not
    deployed before), ``releaseHash``, ``stood``, ``restarts``, ``replicas``, ``seconds``, and
    ``overwritten``, the changes by hand that were overwritten. XCom ``waiting``: why the pods wait
    for the cluster, while they do.

    :param release: XCom of ``validate``.
    :param artifact: XCom of ``download_artifact``.
    :param push: XCom of ``push_image``; ``digest`` is applied.
    :param verdict: XCom of ``smoke_test``; required, for this digest and this run.
    :param approval: XCom of ``approve``; required if the environment asks for an approval.
    :param build: XCom of ``build_image``; its provenance is recorded. If a rebuild produced the
        live image again, nothing else is done.
    """

    template_fields: Sequence[str] = ("release", "artifact", "push", "verdict", "approval", "build")

    def __init__(
        self,
        *,
        release: Any,
        artifact: Any,
        push: Any,
        verdict: Any,
        approval: Any = None,
        build: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.artifact = artifact
        self.push = push
        self.verdict = verdict
        self.approval = approval
        self.build = build

    def run(self, context: Context) -> dict[str, Any]:
        """Apply the objects and follow the rollout.

        :raises NotAllowed: when the environment no longer permits this deployment.
        :raises StateError: without a verdict or a required approval, or when a later release is
            live.
        :raises ClusterError: when the cluster refuses an object.
        :raises RolloutFailed: after the rollback, with the reason of the failure.
        """
        release = releases.load(self.release)
        if not self._unchanged:
            self._objects(release)  # refuses a missing verdict or approval before the lease
        workload, lease = self.service(release)
        self.acquire(lease, release)
        with released_on_failure(lease):
            admission.require_deploy_still(context, release.manifest)
            begin = time.time()
            live = workload.observed()
            if not history.is_observed(live):
                raise ClusterError(
                    "The Deployment controller has not observed the latest change of "
                    f"{release.name} yet, so nothing is applied; check whether "
                    "kube-controller-manager runs.",
                    retryable=True,
                )
            rebuild_gate.require_live(context, release, live)
            superseded.refuse(release, live, lease.removal)
            if self._unchanged:
                built_from = provenance.annotation_value(self.build["builtFrom"])
                return rebuild_gate.record_unchanged(workload, lease, built_from, live or {})
            annotations = pod_inputs.pod_annotations(workload.hook, release, live, self.log)
            objects = history.carry_over(self._objects(release, annotations), live)
            self._mark_live(release, live)
            with failed_rollout.roll_back_when_cancelled(workload, release.run_id):
                deployment = failed_rollout.apply_or_roll_back(workload, objects, live)
                changed = history.has_changed(live, deployment)
                generation = deployment["metadata"]["generation"]
                self.log.info(
                    "Deployment %s %s (generation %s)",
                    release.name,
                    "is applied" if changed else "is unchanged",
                    generation,
                )
                begun = {
                    "began": begin,
                    "generation": generation,
                    "changed": changed,
                    "first": annotation.FIRST in annotation.read_annotations(objects[0]),
                    "releaseHash": annotation.read_annotations(objects[0])[annotation.RELEASE_HASH],
                    "stood": history.is_live_already(live, objects[0]),
                    "overwritten": workload.overwritten,
                    "deadline": begin
                    + WATCH_SECONDS
                    + resources.rollout_seconds(release, deployment),
                }
                self._explain(context, workload, release, objects)
                status = workload.rollout.follow(
                    generation, WATCH_SECONDS, begun["releaseHash"], until_serving=True
                )
                if not rollout.is_over(status, until_serving=True):
                    self.log.info(
                        "The rollout is not done after %.0f s; the triggerer continues the wait",
                        WATCH_SECONDS,
                    )
                    self._await_rollout(release, begun)
                return self._settle(release, workload, status, begun)

    def execute_complete(
        self, context: Context, event: dict[str, Any], begun: dict[str, Any]
    ) -> dict[str, Any]:
        """Judge the rollout after the wait in the triggerer.

        The wait continues if new pods that were ready are gone, for example evicted by a node.

        :param begun: state that :meth:`run` stored for this method.
        :raises StateError: when another run holds the lease or another release is live; nothing is
            rolled back then.
        :raises RolloutFailed: as in :meth:`run`.
        """
        with report_failure(context, self.log):
            release = releases.load(self.release)
            workload, lease = self.service(release)
            with (
                released_on_failure(lease),
                failed_rollout.roll_back_when_cancelled(workload, release.run_id),
            ):
                lease.hold()
                status = workload.rollout.look(begun["generation"], begun.get("releaseHash"))
                if isinstance(status, rollout.Waiting) and not isinstance(status, rollout.Serving):
                    if event["state"] == "settled" and time.time() < begun.get("deadline", 0):
                        self.log.info(
                            "New pods that were ready are not ready any more; waiting again"
                        )
                        self._await_rollout(release, begun)
                    text = event.get("text") or f"it took too long ({status.text})"
                    status = rollout.Failed(text)
                return self._settle(release, workload, status, begun)

    def _mark_live(self, release: Release, live: dict[str, Any] | None) -> None:
        """Mark the image as live in the registry, unless it is live already."""
        digest = releases.pushed_digest(self.push)
        is_live = annotation.read_annotations(live).get(annotation.DIGEST) == digest
        if is_live or not self.push.get("mark"):
            return
        from manifest_engine.hooks.registry.acr import AcrHook

        live_mark.mark_live(AcrHook(release.environment.registry.connection).api, release, digest)

    @property
    def _unchanged(self) -> bool:
        """Whether a rebuild produced the live image again, so that nothing is rolled out."""
        return bool((self.build or {}).get("unchanged"))

    def _objects(
        self, release: Release, pod_annotations: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        digest = releases.pushed_digest(self.push)
        verdict.check(self.verdict, digest=digest, run_id=release.run_id)
        approval.check(self.approval, release, digest)
        return resources.workload(
            release,
            digest,
            self.artifact or {},
            (self.build or self.push).get("builtFrom"),
            rolled_back_from=self.push.get("rolledBackFrom"),
            pod_annotations=pod_annotations,
        )

    def _explain(
        self,
        context: Context,
        workload: Workload,
        release: Release,
        objects: list[dict[str, Any]],
    ) -> None:
        """Report why pods wait, and ask the registry about an image that a node cannot find."""
        digest = annotation.read_annotations(objects[0])[annotation.DIGEST]
        workload.rollout.explain = partial(
            purged_image.check_registry, release=release, digest=digest, log=self.log
        )
        workload.rollout.on_pending = partial(context["ti"].xcom_push, WAITING_KEY)

    def _await_rollout(self, release: Release, begun: dict[str, Any]) -> NoReturn:
        cluster = release.environment.cluster
        self.defer(
            trigger=RolloutTrigger(
                conn_id=cluster.connection,
                namespace=cluster.namespace,
                name=release.name,
                generation=begun["generation"],
                deadline=begun["deadline"],
                run_id=release.run_id,
                requested_by=release.requested_by,
                drift=cluster.drift,
                release_hash=begun["releaseHash"],
            ),
            method_name="execute_complete",
            kwargs={"begun": begun},
        )
        raise AssertionError("defer() always raises")

    def _settle(
        self,
        release: Release,
        workload: Workload,
        status: rollout.Status,
        begun: dict[str, Any],
    ) -> dict[str, Any]:
        if not isinstance(status, rollout.Done | rollout.Serving):
            raise failed_rollout.failure(
                release,
                workload,
                self._objects(release),
                status,
                begun.get("releaseHash"),
                stood=begun.get("stood", False),
            )
        seconds = round(time.time() - begun["began"], 3)
        self.log.info("%s: %s new pods are ready", release.name, status.replicas)
        return {
            "deployment": release.name,
            "generation": begun["generation"],
            "changed": begun["changed"],
            "first": begun.get("first", False),
            "releaseHash": begun.get("releaseHash"),
            "stood": begun.get("stood", False),
            "restarts": {} if begun.get("stood") else workload.rollout.count_restarts(),
            "replicas": status.replicas,
            "seconds": seconds,
            "overwritten": begun.get("overwritten", []),
        }
