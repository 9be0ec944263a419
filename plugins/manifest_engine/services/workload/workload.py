"""The objects of one service in a cluster: apply, follow the rollout, roll back, remove."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.drift import drift
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.pod import mounts
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import name_collisions, resources, rollout
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.drift.ownership import Ownership
from manifest_engine.services.workload.rollout_watch import RolloutWatch

Json = dict[str, Any]

OBSERVED_SECONDS = 20.0
"""Wait for the controller to observe a change; the election of a new leader takes 15 s."""
_OBSERVED_PAUSE = 0.2
AUTOSCALER_SECONDS = 1.0
"""A deleted autoscaler may scale for this long, until its controller sees the deletion."""
SETTLE_SECONDS = 60.0
"""Wait for a rollback, whose pods usually exist already."""
_REFUSING = Policy()


class Workload:
    """The objects of one service.

    :param policy: what to do with changes by hand.
    """

    def __init__(
        self,
        hook: ClusterHook,
        namespace: str,
        name: str,
        *,
        policy: Policy = _REFUSING,
        log: logging.Logger | None = None,
    ) -> None:
        self.hook = hook
        self.namespace = namespace
        self.name = name
        self.policy = policy
        self.overwritten: list[str] = []
        """The changes by hand that were overwritten."""
        self.log = log or logging.getLogger(__name__)
        self.rollout = RolloutWatch(hook, namespace, name, self.log)

    @classmethod
    def of(
        cls,
        environment: Environment,
        name: str,
        *,
        hook: ClusterHook | None = None,
        policy: Policy = _REFUSING,
        log: logging.Logger | None = None,
    ) -> Workload:
        """The objects of a service in an environment's cluster.

        :param name: object name of the service.
        :param hook: the cluster; by default that of the environment's Connection.
        """
        cluster = environment.cluster
        hook = hook or ClusterHook(cluster.connection)
        return cls(hook, cluster.namespace, name, policy=policy, log=log)

    def live(self) -> Json | None:
        """The live Deployment, None when there is none."""
        return self.rollout.live()

    def observed(self) -> Json | None:
        """The live Deployment after its controller observed the latest change.

        Until then the status is out of date: a release that somebody scales right now would look
        like a release that never became available. After ``OBSERVED_SECONDS`` the Deployment is
        returned unobserved.
        """
        end = time.monotonic() + OBSERVED_SECONDS
        while not history.is_observed(live := self.live()) and time.monotonic() < end:
            time.sleep(_OBSERVED_PAUSE)
        return live

    def replica_sets(self) -> list[Json]:
        """The ReplicaSets of the live release and of earlier releases."""
        labels = label.label_selector({label.INSTANCE: self.name})
        return self.hook.find("apps/v1", "ReplicaSet", self.namespace, labels=labels)

    def apply(self, objects: list[Json], live: Json | None) -> Json:
        """Apply the objects of a release and remove objects that only the live release has.

        :param objects: the result of ``history.carry_over``, the Deployment first.
        :param live: the live Deployment.
        :return: the applied Deployment.
        :raises ClusterError: when the cluster refuses an object.
        :raises ManifestError: when the live Deployment belongs to another service.
        """
        before = annotation.unpack(annotation.read_annotations(live).get(annotation.OBJECTS)) or []
        own = objects[0]["metadata"]["labels"]
        name_collisions.refuse(own[label.COMPONENT], own[label.NAME], live)
        self._refuse_foreign(objects, live, before)
        return self._exchange(before, objects, live, self.policy)

    def remove(self, objects: list[Json]) -> list[str]:
        """Delete objects that a release created, the last first; returns their names."""
        removed = []
        for an_object in reversed(objects):
            api_version, kind, name = resources.key(an_object)
            live = self.hook.get(api_version, kind, name, self.namespace)
            if live is None:
                continue
            if not label.is_ours(live):
                self.log.info("%s %s was not made by a release and is not removed", kind, name)
                continue
            if self.hook.delete(api_version, kind, name, self.namespace):
                self.log.info("%s %s is removed", kind, name)
                removed.append(f"{kind} {name}")
        return removed

    def cancel(self, run_id: str) -> str:
        """Roll back the unfinished rollout of a cancelled run. A complete rollout stays.

        :return: a sentence for the user, empty when nothing was done.
        """
        if history.is_complete(self.observed()):
            return ""
        return self.roll_back_run(run_id, settle_seconds=0)

    def roll_back_run(self, run_id: str, *, settle_seconds: float = SETTLE_SECONDS) -> str:
        """Roll back the release of a run, unless the release was live before the run.

        :return: a sentence for the user, empty when nothing was done.
        """
        annotations = annotation.read_annotations(self.live())
        if annotations.get(annotation.RUN_ID) != run_id:
            return ""
        objects = annotation.unpack(annotations.get(annotation.OBJECTS)) or []
        return self.roll_back(objects, settle_seconds=settle_seconds)

    def roll_back(
        self,
        failed: list[Json],
        *,
        release_hash: str | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> str:
        """Return to the last good release, or remove the objects of a first release.

        :param failed: objects of the failed release.
        :param release_hash: hash of the failed release as it was applied; None rolls back any live
            release.
        :param settle_seconds: how long to follow the rollout of the last good release.
        :return: a sentence for the user.
        :raises StateError: when another release is live.
        """
        live = self.live()
        if live is None:
            return (
                "The Deployment and the release before were deleted: check who deletes objects in "
                f"the namespace {self.namespace!r}, and deploy again."
            )
        superseded.refuse_replaced(release_hash, live)
        annotations = annotation.read_annotations(live)
        good = history.restore(annotations.get(annotation.LAST_GOOD))
        if good:
            policy = replace(self.policy, everything=True)
            deployment = self._exchange(failed, good, live, policy)
            version = good[0]["metadata"]["labels"].get(label.VERSION, "?")
            if not settle_seconds:
                return f"Rolled back to version {version}."
            status = self.rollout.follow(
                deployment["metadata"]["generation"],
                settle_seconds,
                annotation.read_annotations(good[0]).get(annotation.RELEASE_HASH),
                until_serving=True,
            )
            if isinstance(status, rollout.Done | rollout.Serving):
                return f"Rolled back to version {version}, which is serving."
            text = status.text if isinstance(status, rollout.Waiting) else status.reason
            return f"Rolled back to version {version}, whose rollout is not done: {text}."
        if annotation.FIRST in annotations:
            removed = self.remove(failed)
            return f"It was the first release; removed again: {', '.join(removed) or 'nothing'}."
        return "There is no record of an earlier release, so the running pods are not changed."

    def _exchange(
        self, before: list[Json], objects: list[Json], live: Json | None, policy: Policy
    ) -> Json:
        """Apply objects and remove obsolete objects of the release before; the applied Deployment.

        An obsolete autoscaler is removed first: it would overwrite the new number of replicas.
        """
        ownership = Ownership(self.hook, policy, drift.recorded(live), self.log)
        obsolete = [item for item in before if not _among(item, objects)]
        scalers = [item for item in obsolete if _is_scaler(item)]
        if (
            scalers
        ):  # keep the autoscaler of the live release if the cluster refuses the new objects
            if live:
                ownership.require(ownership.find(objects[0], live))
            self.hook.apply(objects[0], force=True, dry_run=True)
            if self.remove(scalers):
                time.sleep(AUTOSCALER_SECONDS)
        first = objects[0] if live else _with_replicas(objects)
        files = [item for item in objects if _is_files(item)]
        for an_object in files:  # first, because the new pods mount them
            ownership.apply(an_object, None)
        applied = ownership.apply(first, live)
        for an_object in objects[1:]:
            if not _is_files(an_object):
                ownership.apply(an_object, None)
        self.overwritten += ownership.taken
        self.remove([item for item in obsolete if item not in scalers and not _is_files(item)])
        self._prune_files(objects)
        return applied

    def files(self) -> list[Json]:
        """The ConfigMaps with the files of all releases; empty if the role may not list them."""
        labels = label.label_selector({label.INSTANCE: self.name, label.MANAGED_BY: label.MANAGER})
        try:
            found = self.hook.find("v1", "ConfigMap", self.namespace, labels=labels)
            return [item for item in found if mounts.has_files(item, self.name)]
        except ClusterError as error:
            if error.retryable:
                raise
            self.log.info("Files of former releases cannot be looked up: %s", error)
            return []

    def _prune_files(self, objects: list[Json]) -> None:
        """Delete the files of releases that are no longer in the history.

        A ConfigMap stays as long as a ReplicaSet mounts it: its pods may run until the rollout
        ends, and start again in a rollback.
        """
        kept = mounts.config_maps([objects[0]["spec"]["template"]])
        found = [item for item in self.files() if item["metadata"]["name"] not in kept]
        if found:
            past = [item["spec"]["template"] for item in self.replica_sets()]
            used = mounts.config_maps(past)
            self.remove([item for item in found if item["metadata"]["name"] not in used])

    def _refuse_foreign(self, objects: list[Json], live: Json | None, before: list[Json]) -> None:
        """Refuse an object of the same name that no release created, unless it is to be adopted."""
        if self.policy.everything:
            return
        for an_object in objects:
            api_version, kind, name = resources.key(an_object)
            if kind == "Deployment":
                found = live
            elif _among(an_object, before):
                continue
            else:
                found = self.hook.get(api_version, kind, name, self.namespace)
            if found is not None and not label.is_ours(found):
                owner = (found["metadata"].get("labels") or {}).get(label.MANAGED_BY, "somebody")
                raise ClusterError(
                    f"{kind} {name!r} exists in namespace {self.namespace!r} already and was made "
                    f"by {owner}, not by a release: remove or rename it, or set "
                    "cluster.forceConflicts for this environment to take it over."
                )


def _is_files(an_object: Json) -> bool:
    return bool(an_object["kind"] == "ConfigMap")


def _among(an_object: Json, objects: list[Json]) -> bool:
    return resources.key(an_object) in {resources.key(item) for item in objects}


def _is_scaler(an_object: Json) -> bool:
    return bool(an_object["kind"] == "HorizontalPodAutoscaler")


def _with_replicas(objects: list[Json]) -> Json:
    """The Deployment of a first release. It starts with the minimum replicas of its autoscaler."""
    deployment = objects[0]
    scalers = [item for item in objects if _is_scaler(item)]
    if "replicas" in deployment["spec"] or not scalers:
        return deployment
    count = scalers[0]["spec"]["minReplicas"]
    return deployment | {"spec": deployment["spec"] | {"replicas": count}}
