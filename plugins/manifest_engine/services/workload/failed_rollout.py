"""Rolls back a release that failed or was cancelled, and explains the failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import Cancelled, ClusterError, RolloutFailed
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import rollout, service_log
from manifest_engine.domain.workload.pod import APP
from manifest_engine.hooks.kubernetes import pod_evidence
from manifest_engine.services.image import purged_image

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.workload.finding import Finding
    from manifest_engine.services.workload.workload import Workload

_LOG_LINES = 40


def roll_back(
    workload: Workload, objects: list[dict[str, Any]], release_hash: str | None
) -> tuple[str, bool]:
    """Roll back to the last good release; returns a sentence, and whether the rollback succeeded.

    :param objects: objects of the failed release.
    :param release_hash: hash of the failed release as it was applied.
    :raises StateError: when another release is live; nothing is changed then.
    """
    try:
        return workload.roll_back(objects, release_hash=release_hash), True
    except ClusterError as error:
        return f"It could not be rolled back: {error}", False


def apply_or_roll_back(
    workload: Workload, objects: list[dict[str, Any]], live: dict[str, Any] | None
) -> dict[str, Any]:
    """Apply the objects of a release by :meth:`Workload.apply`; roll back a partial apply.

    :raises ClusterError: when the cluster refuses an object, with the result of the rollback.
    """
    try:
        return workload.apply(objects, live)
    except ClusterError as error:
        mine = annotation.read_annotations(objects[0])
        begun = (
            annotation.read_annotations(workload.live()).get(annotation.RUN_ID)
            == mine[annotation.RUN_ID]
        )
        if error.retryable or not begun or history.is_live_already(live, objects[0]):
            raise
        done, _ = roll_back(workload, objects, mine[annotation.RELEASE_HASH])
        raise ClusterError(f"{error} {done}") from error


@contextmanager
def roll_back_when_cancelled(workload: Workload, run_id: str) -> Iterator[None]:
    """Roll back the run's unfinished rollout when the task is cancelled.

    :raises Cancelled: with the result of the rollback.
    """
    try:
        yield
    except Cancelled as error:
        try:
            done = workload.cancel(run_id)
        except ClusterError as problem:
            done = f"The unfinished rollout could not be rolled back: {problem}"
        raise Cancelled(f"{error} {done}".rstrip()) from error


def failure(
    release: Release,
    workload: Workload,
    objects: list[dict[str, Any]],
    status: rollout.Waiting | rollout.Failed,
    release_hash: str | None,
    *,
    stood: bool = False,
) -> RolloutFailed:
    """Diagnose a failed rollout and roll it back; the returned error says both.

    :param objects: objects of the release.
    :param status: last known status of the rollout.
    :param release_hash: hash of the release as it was applied.
    :param stood: whether the same release was live and complete before; it is not rolled back.
    :raises StateError: when another release is live; nothing is changed then.
    """
    reason = status.text if isinstance(status, rollout.Waiting) else status.reason
    live = workload.live()
    finding = workload.rollout.finding(live) if live else None
    if finding:
        image = objects[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        finding = purged_image.check_registry(
            finding, release, image.partition("@")[2], workload.log
        )
    why = finding.sentence + _last_lines(workload, finding) if finding else reason
    if finding and reason not in why and isinstance(status, rollout.Failed) and not finding.final:
        why = f"{reason}: {why}"
    workload.log.error("The rollout failed: %s", why)
    # The wait, for a node for example, used its whole time limit, so a retry would wait again.
    retryable = bool(finding and finding.retryable and finding.final)
    what = f"{release.name} {release.manifest.version}"
    if stood:
        return RolloutFailed(
            f"{what} was live before this run and is not rolled back, but not all of its pods are "
            f"available: {why}",
            retryable=retryable,
        )
    done, complete = roll_back(workload, objects, release_hash)
    error = RolloutFailed(
        f"{what} did not become available: {why}\n{done}",
        # A retry fails again and then completes the rollback.
        retryable=retryable or not complete,
    )
    error.outcome = "rolled back" if complete else "failed"
    return error


def require_complete(
    workload: Workload,
    release: Release,
    *,
    generation: int,
    release_hash: str | None,
    stood: bool,
) -> rollout.Done:
    """Follow the rollout until the new pods have stayed up and the old pods are gone.

    :param generation: generation of the Deployment after the release was applied.
    :raises RolloutFailed: after the rollback; parameters and errors as in :func:`failure`.
    """
    cluster = release.environment.cluster
    seconds = cluster.min_ready_seconds + cluster.pending_seconds
    status = workload.rollout.follow(generation, seconds, release_hash)
    if isinstance(status, rollout.Done):
        crashed = _crash_while_ready(workload)
        if crashed is None:
            return status
        status = rollout.Failed(crashed.sentence)
    live = annotation.read_annotations(workload.live())
    objects = annotation.unpack(live.get(annotation.OBJECTS)) or []
    raise failure(release, workload, objects, status, release_hash, stood=stood)


def _crash_while_ready(workload: Workload) -> Finding | None:
    """Find a new pod that crashed and is ready again; None if restarts were not counted before."""
    live = workload.live() if workload.rollout.restarts is not None else None
    finding = workload.rollout.finding(live) if live else None
    return finding if finding and finding.final else None


def _last_lines(workload: Workload, finding: Finding) -> str:
    """The service's last log lines, to append to the sentence; read before the pod is removed."""
    if "\n" in finding.sentence or not finding.pod:
        return ""
    for previous in (False, True):
        where = workload.hook, workload.namespace, finding.pod, APP
        text = pod_evidence.last_lines(*where, lines=_LOG_LINES, previous=previous)
        if lines := service_log.tail(text):
            return lines
    return ""
