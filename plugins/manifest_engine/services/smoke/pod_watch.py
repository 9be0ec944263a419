"""Watches the pod of a smoke test until there is a verdict, or until none can be expected."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.smoke import outcome as smoke_outcome
from manifest_engine.domain.smoke import pod as smoke_pod
from manifest_engine.domain.smoke import verdict
from manifest_engine.domain.workload import image_pull
from manifest_engine.domain.workload.pod import APP
from manifest_engine.hooks.kubernetes import pod_evidence
from manifest_engine.services.image import purged_image

if TYPE_CHECKING:
    from logging import Logger

    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.smoke.verdict import Verdict
    from manifest_engine.domain.workload.finding import Finding
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_WATCH_SECONDS = 60.0
_LOG_SECONDS = 2.0
"""How long one read of the prober's log may block the watch of the pod."""
_LOG_LINES = 40


class SmokePodWatch:
    """Watches one pod.

    :param name: the pod's name.
    :param digest: digest of the image in the pod.
    """

    def __init__(
        self, hook: ClusterHook, release: Release, digest: str, name: str, log: Logger
    ) -> None:
        self._hook = hook
        self._release = release
        self._digest = digest
        self._name = name
        self._namespace = release.environment.cluster.namespace
        self._log = log
        self._pod: dict[str, Any] = {}
        self._log_was_read = False
        self._service_output: str | None = None

    def verdict(self) -> Verdict:
        """The prober's verdict, good or bad, from its log or its termination message.

        :raises SmokeTestFailed: when there is no verdict: the service crashed, the image cannot be
            pulled, the pod was deleted or did not start.
        """
        end = time.monotonic() + smoke_pod.deadline(self._release)
        while (remaining := end - time.monotonic()) > 0:
            begun = False
            for kind, seen in self._hook.watch(
                "v1", "Pod", self._name, self._namespace, seconds=min(remaining, _WATCH_SECONDS)
            ):
                begun, self._pod = True, seen
                if found := smoke_outcome.verdict_from_status(seen):
                    return found
                if kind == "DELETED":
                    raise smoke_outcome.pod_deleted(self._name)
                if error := smoke_outcome.pod_failure(seen):
                    raise error
                final = smoke_outcome.final_finding(seen)
                finding = final and self._explained(final)
                if finding and not image_pull.node_retries(finding):
                    raise smoke_outcome.failure(finding, self.service_log())
                if found := self._verdict_from_log():
                    return found
            if not begun and self._hook.get("v1", "Pod", self._name, self._namespace) is None:
                raise smoke_outcome.pod_deleted(self._name)
        events = pod_evidence.events(self._hook, self._namespace)
        raise smoke_outcome.no_verdict_in_time(self._pod, events)

    def service_log(self) -> str:
        """The last lines of the service's log; read once, while the pod exists."""
        if self._service_output is None and self._pod:
            text = self._read(pod_evidence.last_lines, APP, lines=_LOG_LINES)
            self._service_output = text.rstrip()
        return self._service_output or ""

    def _verdict_from_log(self) -> Verdict | None:
        """The verdict in the prober's log, up to a second earlier than in the pod's status.

        The log is read once: for a slow service the second does not matter.
        """
        pod = self._pod
        if self._log_was_read or not (
            smoke_outcome.prober_runs(pod) and smoke_outcome.may_answer(pod)
        ):
            return None
        self._log_was_read = True
        line = self._read(pod_evidence.first_line, smoke_pod.PROBER, seconds=_LOG_SECONDS)
        return verdict.read(line)

    def _read(self, how: Callable[..., str], container: str, **which: Any) -> str:
        """Read a log. A failure must not hide the verdict or the real error."""
        try:
            return how(self._hook, self._namespace, self._name, container, **which)
        except Exception as error:
            self._log.warning("The log of %s cannot be read: %s", container, error)
            return ""

    def _explained(self, finding: Finding) -> Finding:
        """The finding with details of a failed pull from the registry and the pod's events."""
        finding = purged_image.check_registry(finding, self._release, self._digest, self._log)
        if not finding.pull_denied:
            return finding
        mine = f"involvedObject.name={self._name}"
        return image_pull.check_pull_secret(
            finding, pod_evidence.events(self._hook, self._namespace, mine)
        )
