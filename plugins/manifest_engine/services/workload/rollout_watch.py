"""Follows the rollout of a Deployment, and finds out why the rollout does not progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import diagnosis, pod_states, rollout
from manifest_engine.domain.workload.finding import Finding
from manifest_engine.hooks.kubernetes import pod_evidence
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

LOOK_SECONDS = 3.0
"""Time before the pods of an unfinished rollout are examined; doubles each time."""
AWAY_SECONDS = 1.0
"""Pause between requests to an unreachable API server."""


class RolloutWatch:
    """The rollout of one Deployment."""

    def __init__(self, hook: ClusterHook, namespace: str, name: str, log: logging.Logger) -> None:
        self.hook = hook
        self.namespace = namespace
        self.name = name
        self.log = log
        self.on_look: Callable[[], None] = _nothing
        """Called every few seconds while :meth:`follow` waits."""
        self.on_pending: Callable[[str], None] = _ignore
        """Called with the reason why pods wait for the cluster, each time the reason changes."""
        self.explain: Callable[[Finding], Finding] = _unchanged
        """Adds details from another system, such as the registry, to a finding."""
        self.restarts: dict[str, int] | None = None
        """Restarts of the new pods' containers when all pods were ready; more mean a crash."""
        self._last_text = ""
        self._states: dict[str, str] = {}
        self._pending = ""

    def live(self) -> Json | None:
        """The live Deployment, None when there is none."""
        return self.hook.get("apps/v1", "Deployment", self.name, self.namespace)

    def follow(
        self,
        generation: int,
        seconds: float,
        release_hash: str | None = None,
        *,
        until_serving: bool = False,
    ) -> rollout.Status:
        """Watch the rollout; returns the last status.

        Pods that can never become available fail the rollout before its deadline. The watch waits
        for an unreachable API server, because the rollout continues without it.

        :param seconds: limit of the wait.
        :param generation: generation of the Deployment after the release was applied.
        :param release_hash: hash of the release; None follows any live release.
        :param until_serving: also end when the new pods serve, before the old pods go.
        :raises StateError: when another release is live.
        """
        end = time.monotonic() + seconds
        status: rollout.Status = rollout.Waiting("the rollout has not begun")
        look = LOOK_SECONDS
        last_error = ""
        while (remaining := end - time.monotonic()) > 0:
            try:
                status = self._watch(
                    generation, min(remaining, look), release_hash, until_serving=until_serving
                )
                look *= 2
            except ClusterError as error:
                if not error.retryable:
                    raise
                if str(error) != last_error:
                    last_error = str(error)
                    self.log.warning("The rollout of %s cannot be seen: %s", self.name, last_error)
                time.sleep(AWAY_SECONDS)
            if rollout.is_over(status, until_serving=until_serving):
                return status
        return status

    def _watch(
        self, generation: int, seconds: float, release_hash: str | None, *, until_serving: bool
    ) -> rollout.Status:
        self.on_look()
        seen: Json | None = None
        status: rollout.Status = rollout.Waiting("the rollout has not begun")
        for kind, seen in self.hook.watch(
            "apps/v1", "Deployment", self.name, self.namespace, seconds=seconds
        ):
            if kind == "DELETED":
                return rollout.Failed("the Deployment was deleted during the rollout")
            served = isinstance(status, rollout.Serving)
            try:
                status = judge(seen, generation, release_hash)
            except StateError:
                # The first event of a watch may be out of date.
                return self.look(generation, release_hash)
            if rollout.is_over(status, until_serving=until_serving):
                return status
            if served and not isinstance(status, rollout.Serving):
                break  # a pod is no longer ready: examine the pods before their state changes again
        if seen is None:
            return self.look(generation, release_hash)
        return self._examined(seen, status)

    def _examined(self, deployment: Json, status: rollout.Status) -> rollout.Status:
        """The status of an unfinished rollout; failed if its pods can never become available."""
        if not isinstance(status, rollout.Waiting):
            return status
        if status.text != self._last_text:
            self._last_text = status.text
            self.log.info("Rollout of %s: %s", self.name, status.text)
        finding = self.finding(deployment)
        if finding and finding.final:
            return rollout.Failed(finding.sentence)
        return status

    def _report(self, states: dict[str, str], pending: str) -> None:
        """Log what each pod does, when that changes."""
        for pod, state in states.items():
            if self._states.get(pod) != state:
                self.log.info("Pod %s: %s", pod, state)
        self._states = states
        if pending != self._pending:
            self._pending = pending
            self.on_pending(pending)

    def look(self, generation: int, release_hash: str | None = None) -> rollout.Status:
        """The present status; parameters and errors as in :meth:`follow`."""
        seen = self.live()
        if seen is None:
            return rollout.Failed("the Deployment was deleted during the rollout")
        return self._examined(seen, judge(seen, generation, release_hash))

    def finding(self, deployment: Json) -> Finding | None:
        """The reason why the newest pods do not become available; logs what the pods do."""
        refused = diagnosis.of_creation(deployment)
        pods = self.newest_pods(deployment)
        happened = pod_evidence.events(self.hook, self.namespace, "involvedObject.kind=Pod")
        reasons = [refused.sentence] if refused else []
        reasons += [pod_states.pending_reason(pod, happened) for pod in pods]
        if refused and refused.sentence != self._pending:
            self.log.warning("No new pods of %s: %s", self.name, refused.sentence)
        self._report(pod_states.pod_states(pods, happened), next(filter(None, reasons), ""))
        # A pod that crashes after the rollout was completed does not make the rollout fail.
        rolling = not history.is_complete(deployment)
        found = refused or diagnosis.of_pods(
            pods, happened, must_stay_up=rolling, restarts=self.restarts
        )
        return found and self.explain(found)

    def count_restarts(self) -> dict[str, int]:
        """The present value for :attr:`restarts`."""
        live = self.live()
        return diagnosis.restarts_of(self.newest_pods(live)) if live else {}

    def newest_pods(self, deployment: Json) -> list[Json]:
        """The pods of the newest ReplicaSet."""
        labels = label.label_selector(deployment["spec"]["selector"]["matchLabels"])
        revision = annotation.read_annotations(deployment).get("deployment.kubernetes.io/revision")
        newest = {
            item["metadata"]["uid"]
            for item in self.hook.find("apps/v1", "ReplicaSet", self.namespace, labels=labels)
            if annotation.read_annotations(item).get("deployment.kubernetes.io/revision")
            == revision
        }
        return [
            pod
            for pod in self.hook.find("v1", "Pod", self.namespace, labels=labels)
            if any(owner["uid"] in newest for owner in pod["metadata"].get("ownerReferences") or [])
        ]


def judge(deployment: Json, generation: int, release_hash: str | None = None) -> rollout.Status:
    """The rollout's status in the applied state or in a later state of the same release.

    :raises StateError: when a later state belongs to another release.
    """
    if deployment["metadata"].get("generation", 0) < generation:
        return rollout.Waiting("the API server shows an older state")
    superseded.refuse_replaced(release_hash, deployment)
    return rollout.status(deployment)


def _nothing() -> None:
    pass


def _ignore(_reason: str) -> None:
    pass


def _unchanged(finding: Finding) -> Finding:
    return finding
