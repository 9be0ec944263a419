"""Step ``approve``: a person approves the image before the image runs in the environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.approval import question as approval_question
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.approval.ask_approval import AskApproval

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release


class Approve(AskApproval):
    """Ask whether the image may run. The question shows the differences from the live release and
    the result of a dry run in the cluster.

    :param release: XCom of ``validate``.
    :param push: XCom of ``push_image``; the approval is for its ``digest``.
    """

    template_fields: Sequence[str] = ("release", "push")

    def __init__(self, *, release: Any, push: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.push = push

    def planned(self) -> tuple[Release, str]:
        return releases.load(self.release), releases.pushed_digest(self.push)

    def question(self) -> tuple[str, str]:
        from manifest_engine.services.dry_run import dry_run
        from manifest_engine.services.dry_run.cluster import DryRunHook
        from manifest_engine.services.workload.workload import Workload

        release, digest = self.planned()
        hook = DryRunHook(release.environment.cluster.connection)
        live = Workload.of(release.environment, release.name, hook=hook).live()
        problem = ""
        try:
            dry_run.in_cluster(release, hook, digest, {}, self.log)
        except ManifestEngineError as error:
            if error.retryable:
                raise
            problem = str(error)
        body = approval_question.deploy_body(release, digest, live, hook.changes, problem)
        return approval_question.deploy_subject(release), body
