"""What becomes of a release that does not come up, or is cancelled: rolled back, and told why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import Cancelled, ClusterError, RolloutFailed
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import rollout
from manifest_engine.services.image import purged_image

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.services.workload.workload import Workload


def roll_back(
    workload: Workload, objects: list[dict[str, Any]], release_hash: str | None
) -> tuple[str, bool]:
    """Return to the last good release; what was done, and whether all of it could be.

    :param objects: of the release that failed.
    :param release_hash: of it as it was applied.
    :raises StateError: when another release is live, which stays.
    """
    try:
        return workload.roll_back(objects, release_hash=release_hash), True
    except ClusterError as error:
        return f"It could not be rolled back: {error}", False


def apply_or_roll_back(
    workload: Workload, objects: list[dict[str, Any]], live: dict[str, Any] | None
) -> dict[str, Any]:
    """Apply a release's objects, as :meth:`Workload.apply`; none stays half applied.

    :raises ClusterError: when the cluster refuses one of them, saying what was done about the rest.
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
    """Take the run's unfinished rollout back when its task is cancelled meanwhile.

    :raises Cancelled: saying what was done.
    """
    try:
        yield
    except Cancelled as error:
        try:
            done = workload.cancel(run_id)
        except ClusterError as problem:
            done = f"What it had begun could not be rolled back: {problem}"
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
    """Find out why, roll back, and make the error that says both.

    :param objects: of the release.
    :param status: the last that was seen.
    :param release_hash: of the release as it was applied.
    :param stood: the same release was live before and had come up: it stays.
    :raises StateError: when another release is live, which stays.
    """
    reason = status.text if isinstance(status, rollout.Waiting) else status.reason
    live = workload.live()
    finding = workload.rollout.finding(live, events=True) if live else None
    if finding:
        image = objects[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        finding = purged_image.check_registry(
            finding, release, image.partition("@")[2], workload.log
        )
    why = finding.sentence if finding else reason
    if finding and reason not in why and isinstance(status, rollout.Failed) and not finding.final:
        why = f"{reason}: {why}"
    workload.log.error("The rollout failed: %s", why)
    passing = bool(finding and finding.retryable)
    what = f"{release.name} {release.manifest.version}"
    if stood:
        return RolloutFailed(
            f"{what} was live already and is left as it is, but not all of it is available: {why}",
            retryable=passing,
        )
    done, complete = roll_back(workload, objects, release_hash)
    return RolloutFailed(
        f"{what} did not become available: {why}\n{done}",
        # A retry applies it again, sees it fail again, and then rolls back what is left.
        retryable=passing or not complete,
    )
