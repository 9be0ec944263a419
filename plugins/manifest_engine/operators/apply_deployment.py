"""Step ``apply_deployment``: the release's objects go into the cluster and roll out, or back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from manifest_engine.domain import marks, resources, rollout, verdict
from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import ClusterError, RolloutFailed, StateError
from manifest_engine.operators.rollout_trigger import RolloutTrigger
from manifest_engine.operators.step import StepOperator, told

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.workload import Workload

WATCH_SECONDS = 15.0
"""Most rollouts are done by then; a deferral and its return cost 2 to 3 s."""
_PER_REPLICA_SECONDS = 60.0


class ApplyDeployment(StepOperator):
    """Apply Deployment, Service and what belongs to them, and follow the rollout to its end.

    Server-side apply: the same release again changes nothing. If the new pods do not become
    available, the last good release is applied again, whole, and the step fails with the reason.

    XCom: ``deployment``, ``generation``, ``changed``, ``replicas``, ``seconds``.

    :param release: what ``validate`` planned.
    :param artifact: what ``download_artifact`` returned.
    :param push: what ``push_image`` returned; ``digest`` is applied.
    :param verdict: what ``smoke_test`` returned; demanded, for this digest and this run.
    """

    template_fields: Sequence[str] = ("release", "artifact", "push", "verdict")

    def __init__(
        self, *, release: Any, artifact: Any, push: Any, verdict: Any, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.artifact = artifact
        self.push = push
        self.verdict = verdict

    def run(self, context: Context) -> dict[str, Any]:
        """Apply and follow.

        :raises StateError: without a verdict, or when a later release is live.
        :raises ClusterError: when the cluster refuses an object.
        :raises RolloutFailed: after the roll back, saying why it did not come up.
        """
        begin = time.time()
        release = releases.load(self.release)
        workload = self._workload(release)
        wanted = self._objects(release)
        live = workload.live()
        _refuse_superseded(release, live)
        objects = resources.continued(wanted, live)
        deployment = self._apply(workload, objects, live)
        changed = _differs(live, deployment)
        generation = deployment["metadata"]["generation"]
        self.log.info(
            "Deployment %s %s (generation %s)",
            release.name,
            "is applied" if changed else "was so already",
            generation,
        )
        begun = {"began": begin, "generation": generation, "changed": changed}
        status = workload.follow(generation, WATCH_SECONDS)
        if isinstance(status, rollout.Waiting):
            self._defer(release, begun)
        return self._settle(release, workload, status, begun)

    def execute_complete(
        self, context: Context, event: dict[str, Any], begun: dict[str, Any]
    ) -> dict[str, Any]:
        """After the wait in the triggerer: judge anew."""
        with told(context, self.log):
            release = releases.load(self.release)
            workload = self._workload(release)
            status = workload.look(begun["generation"])
            if isinstance(status, rollout.Waiting):
                text = event.get("text") or f"it took too long ({status.text})"
                status = rollout.Failed(text)
            return self._settle(release, workload, status, begun)

    def _workload(self, release: Release) -> Workload:
        from manifest_engine.hooks.cluster import ClusterHook
        from manifest_engine.hooks.workload import Workload

        cluster = release.environment.cluster
        return Workload(
            ClusterHook(cluster.connection),
            cluster.namespace,
            release.name,
            force=cluster.force_conflicts,
            log=self.log,
        )

    def _objects(self, release: Release) -> list[dict[str, Any]]:
        digest = (self.push or {}).get("digest")
        if not digest:
            raise StateError(
                "No image digest was handed over by the task push_image; clear it and run again."
            )
        verdict.check(self.verdict, digest=digest, run_id=release.run_id)
        return resources.workload(release, digest, self.artifact or {})

    def _apply(
        self, workload: Workload, objects: list[dict[str, Any]], live: dict[str, Any] | None
    ) -> dict[str, Any]:
        try:
            return workload.apply(objects, live)
        except ClusterError as error:
            mine = objects[0]["metadata"]["annotations"][marks.RUN_ID]
            if not error.retryable and marks.noted(workload.live()).get(marks.RUN_ID) == mine:
                # Half of it was taken: nothing may stay half applied.
                raise ClusterError(f"{error} {workload.roll_back(objects)}") from error
            raise

    def _defer(self, release: Release, begun: dict[str, Any]) -> NoReturn:
        cluster = release.environment.cluster
        allowed = resources.progress_deadline(release) + _PER_REPLICA_SECONDS * (
            resources.smallest_scale(release)
        )
        self.log.info("Not done after %.0f s; waiting on in the triggerer", WATCH_SECONDS)
        self.defer(
            trigger=RolloutTrigger(
                conn_id=cluster.connection,
                namespace=cluster.namespace,
                name=release.name,
                generation=begun["generation"],
                deadline=time.time() + allowed,
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
            self._fail(release, workload, status)
        seconds = round(time.time() - begun["began"], 3)
        self.log.info("%s: %s pods are available", release.name, status.replicas)
        return {
            "deployment": release.name,
            "generation": begun["generation"],
            "changed": begun["changed"],
            "replicas": status.replicas,
            "seconds": seconds,
        }

    def _fail(
        self, release: Release, workload: Workload, status: rollout.Waiting | rollout.Failed
    ) -> NoReturn:
        reason = status.text if isinstance(status, rollout.Waiting) else status.reason
        live = workload.live()
        finding = workload.finding(live, events=True) if live else None
        why = finding.sentence if finding else reason
        if (
            finding
            and reason not in why
            and isinstance(status, rollout.Failed)
            and not finding.final
        ):
            why = f"{reason}: {why}"
        self.log.error("The rollout failed: %s", why)
        done = workload.roll_back(self._objects(release))
        raise RolloutFailed(
            f"{release.name} {release.manifest.version} did not become available: {why}\n{done}",
            retryable=bool(finding and finding.retryable),
        )


def _refuse_superseded(release: Release, live: dict[str, Any] | None) -> None:
    """A run must not overwrite a release that was asked for later than itself."""
    notes = marks.noted(live)
    run_id, asked = notes.get(marks.RUN_ID), notes.get(marks.REQUESTED_AT)
    if not asked or run_id == release.run_id:
        return
    if datetime.fromisoformat(asked) > release.requested_at:
        raise StateError(
            f"This run is superseded: {run_id}, asked for later ({asked}), has been applied "
            "already. Start a new run to deploy this version nevertheless."
        )


def _differs(live: dict[str, Any] | None, applied: dict[str, Any]) -> bool:
    if live is None or live["metadata"]["generation"] != applied["metadata"]["generation"]:
        return True
    return marks.noted(live) != marks.noted(applied)
