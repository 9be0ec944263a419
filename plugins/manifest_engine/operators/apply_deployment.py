"""Step ``apply_deployment``: the release's objects go into the cluster and roll out, or back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from manifest_engine.domain import (
    approval,
    built_from,
    history,
    marks,
    resources,
    rollout,
    superseded,
    verdict,
)
from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import ClusterError
from manifest_engine.operators import admission, failed_rollout, rebuild_gate
from manifest_engine.operators.lease_step import LeaseStep, given_back_on_failure
from manifest_engine.operators.rollout_trigger import RolloutTrigger
from manifest_engine.operators.step import told

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.workload import Workload

WATCH_SECONDS = 15.0
"""Most rollouts are done by then; a deferral and its return cost 2 to 3 s."""


class ApplyDeployment(LeaseStep):
    """Apply Deployment, Service and what belongs to them, and follow the rollout to its end.

    Server-side apply: the same release again changes nothing, and takes nothing back. If new pods
    do not become available, the last good release is applied again, whole, and the step fails with
    the reason.

    XCom: ``deployment``, ``generation``, ``changed``, ``replicas``, ``seconds``.

    :param release: what ``validate`` planned.
    :param artifact: what ``download_artifact`` returned.
    :param push: what ``push_image`` returned; ``digest`` is applied.
    :param verdict: what ``smoke_test`` returned; demanded, for this digest and this run.
    :param approval: what ``approve`` returned; demanded likewise where the environment asks for it.
    :param build: what ``build_image`` returned; what the image was built from is noted. Where a
        rebuild has made the image that is live, nothing else is done.
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
        """Apply and follow.

        :raises NotAllowed: when the environment does not let this person deploy this any more.
        :raises StateError: without a verdict or an approval, or when a later release is live.
        :raises ClusterError: when the cluster refuses an object.
        :raises RolloutFailed: after the roll back, saying why it did not come up.
        """
        release = releases.load(self.release)
        wanted = [] if self._unchanged else self._objects(release)
        workload, lease = self.service(release)
        self.take(lease, release)
        with given_back_on_failure(lease):
            admission.require_deploy_still(context, release.manifest)
            begin = time.time()
            live = workload.observed()
            if not history.observed(live):
                raise ClusterError(
                    f"The cluster has not seen the latest change of the Deployment {release.name} "
                    "yet, so nothing is applied; see whether kube-controller-manager runs.",
                    retryable=True,
                )
            rebuild_gate.require_live(context, release, live)
            superseded.refuse(release, live)
            if self._unchanged:
                noted = built_from.note(self.build["builtFrom"])
                return rebuild_gate.note(workload, lease, noted, live or {})
            objects = history.continued(wanted, live)
            with failed_rollout.taken_back_when_cancelled(workload, release.run_id):
                deployment = failed_rollout.applied(workload, objects, live)
                changed = history.differ(live, deployment)
                generation = deployment["metadata"]["generation"]
                self.log.info(
                    "Deployment %s %s (generation %s)",
                    release.name,
                    "is applied" if changed else "was so already",
                    generation,
                )
                begun = {
                    "began": begin,
                    "generation": generation,
                    "changed": changed,
                    "releaseHash": marks.noted(objects[0])[marks.RELEASE_HASH],
                    "stood": history.stands(live, objects[0]),
                }
                status = workload.rollout.follow(generation, WATCH_SECONDS, begun["releaseHash"])
                if isinstance(status, rollout.Waiting):
                    self._await_rollout(release, begun, deployment)
                return self._settle(release, workload, status, begun)

    def execute_complete(
        self, context: Context, event: dict[str, Any], begun: dict[str, Any]
    ) -> dict[str, Any]:
        """After the wait for the rollout in the triggerer: judge anew.

        :raises StateError: when another run has taken the lease meanwhile, or another release is
            live; nothing is rolled back then.
        :raises RolloutFailed: as :meth:`run`.
        """
        with told(context, self.log):
            release = releases.load(self.release)
            workload, lease = self.service(release)
            with (
                given_back_on_failure(lease),
                failed_rollout.taken_back_when_cancelled(workload, release.run_id),
            ):
                lease.hold()
                status = workload.rollout.look(begun["generation"], begun.get("releaseHash"))
                if isinstance(status, rollout.Waiting):
                    text = event.get("text") or f"it took too long ({status.text})"
                    status = rollout.Failed(text)
                return self._settle(release, workload, status, begun)

    @property
    def _unchanged(self) -> bool:
        """Whether a rebuild has made the image that is live: nothing is rolled out, or judged."""
        return bool((self.build or {}).get("unchanged"))

    def _objects(self, release: Release) -> list[dict[str, Any]]:
        digest = releases.pushed_digest(self.push)
        verdict.check(self.verdict, digest=digest, run_id=release.run_id)
        approval.check(self.approval, release, digest)
        return resources.workload(
            release,
            digest,
            self.artifact or {},
            (self.build or self.push).get("builtFrom"),
            rolled_back_from=self.push.get("rolledBackFrom"),
        )

    def _await_rollout(
        self, release: Release, begun: dict[str, Any], deployment: dict[str, Any]
    ) -> NoReturn:
        cluster = release.environment.cluster
        self.log.info("Not done after %.0f s; waiting on in the triggerer", WATCH_SECONDS)
        self.defer(
            trigger=RolloutTrigger(
                conn_id=cluster.connection,
                namespace=cluster.namespace,
                name=release.name,
                generation=begun["generation"],
                deadline=time.time() + resources.rollout_seconds(release, deployment),
                run_id=release.run_id,
                requested_by=release.requested_by,
                force=cluster.force_conflicts,
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
        if not isinstance(status, rollout.Done):
            raise failed_rollout.failure(
                release,
                workload,
                self._objects(release),
                status,
                begun.get("releaseHash"),
                stood=begun.get("stood", False),
            )
        seconds = round(time.time() - begun["began"], 3)
        self.log.info("%s: %s pods are available", release.name, status.replicas)
        return {
            "deployment": release.name,
            "generation": begun["generation"],
            "changed": begun["changed"],
            "replicas": status.replicas,
            "seconds": seconds,
        }
