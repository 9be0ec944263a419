"""Follows the rollout of a Deployment, and finds out why the rollout does not progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import diagnosis, rollout
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
        self._logged: set[str] = set()

    def live(self) -> Json | None:
        """The live Deployment, None when there is none."""
        return self.hook.get("apps/v1", "Deployment", self.name, self.namespace)

    def follow(
        self, generation: int, seconds: float, release_hash: str | None = None
    ) -> rollout.Status:
        """Watch the rollout; returns the last status.

        Pods that can never become available fail the rollout before its deadline. The watch waits
        for an unreachable API server, because the rollout continues without it.

        :param seconds: limit of the wait.
        :param generation: generation of the Deployment after the release was applied.
        :param release_hash: hash of the release; None follows any live release.
        :raises StateError: when another release is live.
        """
        end = time.monotonic() + seconds
        status: rollout.Status = rollout.Waiting("the rollout has not begun")
        look = LOOK_SECONDS
        last_error = ""
        while (remaining := end - time.monotonic()) > 0:
            try:
                status = self._watch(generation, min(remaining, look), release_hash)
                look *= 2
            except ClusterError as error:
                if not error.retryable:
                    raise
                if str(error) != last_error:
                    last_error = str(error)
                    self.log.warning("The rollout of %s cannot be seen: %s", self.name, last_error)
                time.sleep(AWAY_SECONDS)
            if not isinstance(status, rollout.Waiting):
                return status
        return status

    def _watch(self, generation: int, seconds: float, release_hash: str | None) -> rollout.Status:
        self.on_look()
        seen: Json | None = None
        status: rollout.Status = rollout.Waiting("the rollout has not begun")
        for kind, seen in self.hook.watch(
            "apps/v1", "Deployment", self.name, self.namespace, seconds=seconds
        ):
            if kind == "DELETED":
                return rollout.Failed("the Deployment was deleted during the rollout")
            try:
                status = judge(seen, generation, release_hash)
            except StateError:
                # The first event of a watch may be out of date.
                return self.look(generation, release_hash)
            if not isinstance(status, rollout.Waiting):
                return status
            self._log_once(status.text)
        if seen is None:
            return self.look(generation, release_hash)
        if finding := self.finding(seen):
            self._log_once(finding.sentence)
            if finding.final:
                return rollout.Failed(finding.sentence)
        return status

    def _log_once(self, text: str) -> None:
        """Log each text once: counts and findings alternate."""
        if text not in self._logged:
            self._logged.add(text)
            self.log.info("Rollout of %s: %s", self.name, text)

    def look(self, generation: int, release_hash: str | None = None) -> rollout.Status:
        """The present status; parameters and errors as in :meth:`follow`."""
        seen = self.live()
        if seen is None:
            return rollout.Failed("the Deployment was deleted during the rollout")
        status = judge(seen, generation, release_hash)
        if isinstance(status, rollout.Waiting):
            finding = self.finding(seen)
            if finding and finding.final:
                return rollout.Failed(finding.sentence)
        return status

    def finding(self, deployment: Json, *, events: bool = False) -> Finding | None:
        """The reason why the newest pods do not become available.

        :param events: also read the events, which hold the results of probes. A denied image pull
            always reads the events, which show whether the pull can still succeed.
        """
        if refused := diagnosis.of_creation(deployment):
            return refused
        labels = label.label_selector(deployment["spec"]["selector"]["matchLabels"])
        revision = annotation.read_annotations(deployment).get("deployment.kubernetes.io/revision")
        newest = {
            item["metadata"]["uid"]
            for item in self.hook.find("apps/v1", "ReplicaSet", self.namespace, labels=labels)
            if annotation.read_annotations(item).get("deployment.kubernetes.io/revision")
            == revision
        }
        pods = [
            pod
            for pod in self.hook.find("v1", "Pod", self.namespace, labels=labels)
            if any(owner["uid"] in newest for owner in pod["metadata"].get("ownerReferences") or [])
        ]
        found = diagnosis.of_pods(pods)
        if events or (found and found.pull_denied):
            happened = pod_evidence.events(self.hook, self.namespace, "involvedObject.kind=Pod")
            found = diagnosis.of_pods(pods, happened)
        return found


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
