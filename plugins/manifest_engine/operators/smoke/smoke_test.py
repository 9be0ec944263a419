"""Step ``smoke_test``: runs the pushed image in a pod of the target namespace and calls it."""

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
    """Run the image in a pod as the Deployment does, and record the answer for the image's digest.

    XCom: :class:`manifest_engine.domain.smoke.verdict.Verdict` as JSON.

    :param release: XCom of ``validate``.
    :param push: XCom of ``push_image``; ``digest`` is used.
    :param approval: XCom of ``approve``; required before the pod starts if the environment asks for
        an approval.
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
        :raises StateError: when a required approval is missing.
        :raises SmokeTestFailed: naming the request, the answer, and the service's last log lines.
        :raises Cancelled: when the task was cancelled before its pod was created.
        """
        from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator

        self._pod = SmokePodOperator(task_id=self.task_id, release=self.release, push=self.push)
        if self._killed:
            raise Cancelled("The task was cancelled.")
        release = releases.load(self.release)
        approval.check(self.approval, release, releases.pushed_digest(self.push))
        return self._pod.test(context)

    def on_kill(self) -> None:
        """Delete the pod, or prevent its creation."""
        self._killed = True
        if self._pod is not None:
            self._pod.on_kill()
