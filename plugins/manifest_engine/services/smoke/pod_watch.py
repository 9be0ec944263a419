"""Watches the pod of a smoke test until there is a verdict, or until none can be expected."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import SmokeTestFailed
from manifest_engine.domain.smoke import outcome as smoke_outcome
from manifest_engine.domain.smoke.answer import Answer, Request
from manifest_engine.domain.smoke.progress import Conclusion, Progress
from manifest_engine.domain.smoke.verdict import Verdict
from manifest_engine.domain.workload import diagnosis, image_pull, pod_states, service_log
from manifest_engine.domain.workload.finding import Finding
from manifest_engine.domain.workload.pod import APP
from manifest_engine.hooks.kubernetes import pod_evidence, pod_proxy
from manifest_engine.hooks.kubernetes.errors import NotFound
from manifest_engine.services.image import purged_image

if TYPE_CHECKING:
    from logging import Logger

    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_WATCH_SECONDS = 60.0
_PAUSE_SECONDS, _LONG_PAUSE_SECONDS = 0.05, 0.5
"""Seconds between two requests: in the first two seconds, in which most services answer, and
later. The kubelet probes once a second."""
_SHORT_SECONDS = 2.0
_LOG_EVERY_SECONDS = 5.0
"""Seconds between two reads of the log of a service that does not answer."""
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
        self._logged = ""
        self._pending = ""
        self.on_pending: Callable[[str], None] = lambda _reason: None
        """Called with the reason why the pod waits for the cluster, when the reason changes."""
        self._log_read_at = 0.0
        self._service_output: str | None = None

    def verdict(self) -> Verdict:
        """The verdict, good or bad.

        :raises SmokeTestFailed: when there is no verdict: the service crashed, the image cannot be
            pulled, the pod was deleted or did not start.
        """
        self._wait_for_start()
        begin = time.monotonic()
        found = self._conclude(Progress(self._release.manifest), begin)
        return Verdict(
            digest=self._digest,
            run_id=self._release.run_id,
            asked=found.asked,
            status=found.answer.status,
            body=printable.excerpt(found.answer.body),
            problem=printable.printable(found.problem, printable.LINE_MAX),
            ok=not found.problem,
            seconds=round(time.monotonic() - begin, 3),
        )

    def service_log(self) -> str:
        """The last lines of the service's log; read once, while the pod exists."""
        if self._service_output is None and self._pod:
            self._service_output = self._read_log()
        return self._service_output or ""

    def _wait_for_start(self) -> None:
        """Wait until the service runs. This time does not count as the service's startup time."""
        seconds = self._release.environment.cluster.pending_seconds
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            begun = False
            for kind, seen in self._hook.watch(
                "v1", "Pod", self._name, self._namespace, seconds=min(remaining, _WATCH_SECONDS)
            ):
                begun = True
                self._examine(seen, deleted=kind == "DELETED")
                if smoke_outcome.runs(seen):
                    return
            if not begun and self._hook.get("v1", "Pod", self._name, self._namespace) is None:
                raise smoke_outcome.pod_deleted(self._name)
        raise smoke_outcome.not_started(self._pod, self._events(), seconds)

    def _conclude(self, progress: Progress, begin: float) -> Conclusion:
        while True:
            asked_at = time.monotonic()
            request = progress.request
            answer = self._ask(request) if request else None
            now = time.monotonic()
            ready = smoke_outcome.is_ready(self._pod)
            found = progress.judge(answer, now - begin, took=now - asked_at, pod_ready=ready)
            if request and progress.last.refused:
                found = self._refused(progress, request, now - begin, over=found is not None)
            if found and found.problem and request is None:
                raise self._probe_failure(found)
            if found:
                return found
            if request and answer:
                self._log_once(f"GET {request.path}: {answer.problem or f'HTTP {answer.status}'}")
            time.sleep(_PAUSE_SECONDS if now - begin < _SHORT_SECONDS else _LONG_PAUSE_SECONDS)
            seen = self._hook.get("v1", "Pod", self._name, self._namespace)
            if seen is None:
                raise smoke_outcome.pod_deleted(self._name)
            if smoke_outcome.was_stopped(seen) and not smoke_outcome.pod_failure(seen):
                self._pod = seen
                return self._stopped(progress, request, time.monotonic() - begin)
            self._examine(seen)

    def _ask(self, request: Request) -> Answer:
        try:
            answer = pod_proxy.get(self._hook, self._pod, request)
            if not answer.garbled:
                return answer
            encrypted = pod_proxy.get(self._hook, self._pod, request, tls=True)
        except NotFound:
            return Answer(None, problem="the pod is not there")
        if encrypted.status is None:
            return answer
        return Answer(None, problem=answer.problem, tls=True)

    def _refused(
        self, progress: Progress, request: Request, now: float, *, over: bool
    ) -> Conclusion | None:
        """The conclusion for a port that refuses connections.

        If the log names the loopback address, the service does not listen on other addresses.

        :param over: whether the service's time is over.
        """
        if not over and now - self._log_read_at < _LOG_EVERY_SECONDS:
            return None
        self._log_read_at = now
        log = self._read_log()
        loopback = service_log.listens_on_loopback(log, request.port)
        if not (over or loopback):
            return None
        why = loopback or service_log.listens_on_another_port(log, request.port)
        return progress.never_ready(now, why)

    def _stopped(self, progress: Progress, request: Request | None, now: float) -> Conclusion:
        """The conclusion for a container that the kubelet stopped because of a probe.

        :raises SmokeTestFailed: with the probe's result from the pod's events.
        """
        if request is None or progress.is_ready:
            raise self._probe_failure(None)
        refused = progress.last.refused and self._refused(progress, request, now, over=True)
        return refused or progress.never_ready(now)

    def _probe_failure(self, found: Conclusion | None) -> SmokeTestFailed:
        finding = diagnosis.of_pod(self._pod, self._events())
        if finding is None and found:
            finding = Finding(f"the {found.asked} {found.problem}")
        return smoke_outcome.failure(
            finding or Finding("the kubelet stopped the service"), self.service_log()
        )

    def _examine(self, seen: dict[str, Any], *, deleted: bool = False) -> None:
        """:raises SmokeTestFailed: when waiting longer cannot help."""
        self._pod = seen
        if deleted:
            raise smoke_outcome.pod_deleted(self._name)
        if error := smoke_outcome.pod_failure(seen):
            raise error
        final = smoke_outcome.final_finding(seen)
        finding = final and self._explained(final)
        if finding and not image_pull.node_retries(finding):
            raise smoke_outcome.failure(finding, self.service_log())
        pending = pod_states.pending_reason(seen)
        if pending != self._pending:
            self._pending = pending
            self.on_pending(pending)
        if finding := finding or diagnosis.of_pod(seen):
            self._log_once(f"Pod {self._name} waits: {finding.sentence}")

    def _log_once(self, text: str) -> None:
        if text != self._logged:
            self._logged = text
            self._log.info("%s", text)

    def _read_log(self) -> str:
        """A failure must not hide the verdict or the real error."""
        try:
            return pod_evidence.last_lines(
                self._hook, self._namespace, self._name, APP, lines=_LOG_LINES
            ).rstrip()
        except Exception as error:
            self._log.warning("The log of %s cannot be read: %s", APP, error)
            return ""

    def _events(self) -> list[dict[str, Any]]:
        mine = f"involvedObject.name={self._name}"
        return pod_evidence.events(self._hook, self._namespace, mine)

    def _explained(self, finding: Finding) -> Finding:
        """The finding with details of a failed pull from the registry and the pod's events."""
        finding = purged_image.check_registry(finding, self._release, self._digest, self._log)
        if not finding.pull_denied:
            return finding
        return image_pull.check_pull_secret(finding, self._events())
