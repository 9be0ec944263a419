"""Step ``smoke_test``: the pushed image runs in a pod of the target namespace and must answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import Cancelled
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator


class SmokeTest(StepOperator):
    """Run the image in a pod as the Deployment would, and bind what it answers to its digest.

    XCom: :class:`manifest_engine.domain.smoke.verdict.Verdict` as JSON.

    :param release: what ``validate`` planned.
    :param push: what ``push_image`` returned; ``digest`` is used.
    :param approval: what ``approve`` returned; demanded where the environment asks for it, before
        anything of the image runs there.
    """

    template_fields: Sequence[str] = ("release", "push", "approval")

    def __init__(self, *, release: Any, push: Any, approval: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.push = push
        self.approval = approval
        self._pod: SmokePodOperator | None = None
        self._killed = False

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises StateError: without the approval that the environment asks for.
        :raises SmokeTestFailed: saying what was asked, what was answered, and the service's last
            log lines.
        :raises Cancelled: when the task was ended before its pod was made.
        """
        from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator

        self._pod = SmokePodOperator(task_id=self.task_id, release=self.release, push=self.push)
        if self._killed:
            raise Cancelled("The task was cancelled.")
        release = releases.load(self.release)
        approval.check(self.approval, release, releases.pushed_digest(self.push))
        return self._pod.test(context)

    def on_kill(self) -> None:
        """Take the pod away, or keep it from being made."""
        self._killed = True
        if self._pod is not None:
            self._pod.on_kill()
