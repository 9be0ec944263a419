"""Step ``smoke_test``: the pushed image runs in a pod of the target namespace and must answer.

The one module that imports the pod operator, which takes most of a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from manifest_engine.domain import diagnosis, marks, refusals, smoke_pod, verdict
from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import SmokeTestFailed, StateError
from manifest_engine.domain.pod import APP
from manifest_engine.hooks.cluster import ClusterHook
from manifest_engine.operators.step import told

if TYPE_CHECKING:
    from airflow.sdk import Context
    from kubernetes.client import V1Pod

    from manifest_engine.domain.release import Release

PROBER_SCRIPT = Path(__file__).with_name("prober.py")
LOG_LINES = 40
_WATCH_SECONDS = 60.0
_RETURN_VALUE = "return_value"


class SmokeTest(KubernetesPodOperator):
    """Start the image as the Deployment would, ask it over localhost, and bind a verdict to it.

    The service is a native sidecar; the prober's termination message is the verdict. The pod is
    watched rather than polled, and gone afterwards, whatever happened.

    XCom: :class:`manifest_engine.domain.verdict.Verdict` as JSON.

    :param release: what ``validate`` planned.
    :param push: what ``push_image`` returned; ``digest`` is used.
    """

    template_fields: Sequence[str] = ("release", "push")

    def __init__(self, *, release: Any, push: Any, **kwargs: Any) -> None:
        super().__init__(
            base_container_name=smoke_pod.PROBER,
            get_logs=False,
            log_events_on_startup=False,
            durable=False,  # an earlier try's pod is swept, never taken over
            termination_message_policy="FallbackToLogsOnError",
            termination_grace_period=1,
            **kwargs,
        )
        self.release = release
        self.push = push
        self._seen: dict[str, Any] = {}
        self._service_output: str | None = None

    @cached_property
    def hook(self) -> ClusterHook:
        """The cluster of the release's environment."""
        return ClusterHook(self._planned.environment.cluster.connection)

    @cached_property
    def _planned(self) -> Release:
        return releases.load(self.release)

    @cached_property
    def _digest(self) -> str:
        if not self.push or not self.push.get("digest"):
            raise StateError(
                "No image digest was handed over by the task push_image; clear it and run again."
            )
        return str(self.push["digest"])

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the pod and judge.

        :raises SmokeTestFailed: saying what was asked, what was answered, and the service's last
            log lines.
        """
        with told(context, self.log):
            release = self._planned
            namespace = release.environment.cluster.namespace
            with self.hook.explained(refusals.Attempt("run", "pods", namespace)):
                super().execute(context)
            found = self._verdict().dump()
        self.log.info(
            "%s answered %s to GET %s after %.1f s",
            release.image_at(self._digest),
            found["status"],
            found["asked"],
            found["seconds"],
        )
        # The pod operator would return it from a sidecar with an image of its own.
        context["ti"].xcom_push(key=_RETURN_VALUE, value=found)
        return found

    def build_pod_request_obj(
        self, context: Context | None = None, *, dry_run: bool = False
    ) -> V1Pod:
        """The pod of ``domain.smoke_pod`` with the labels that the pod operator gives."""
        release = self._planned
        self.name = f"{release.name[:45].rstrip('-')}-smoke"
        self.namespace = release.environment.cluster.namespace
        self.pod_template_dict = smoke_pod.smoke_pod(
            release, self._digest, PROBER_SCRIPT.read_text()
        )
        return super().build_pod_request_obj(context, dry_run=dry_run)

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Sweep what is left of earlier tries, then create the pod."""
        self._sweep(pod_request_obj)
        wanted = self.hook.api_client.sanitize_for_serialization(pod_request_obj)
        made = self.hook.create(wanted)
        self.log.info("Pod %s is made", made["metadata"]["name"])
        return pod_request_obj

    def find_pod(self, *_args: Any, **_kwargs: Any) -> V1Pod | None:
        """Our own pod: no other one is ever looked for."""
        return self.pod

    def await_pod_start(self, pod: V1Pod) -> None:
        """Nothing: one watch sees the start and the end."""

    def await_pod_completion(self, pod: V1Pod) -> None:
        """Watch the pod until the prober has ended, or the service has crashed."""
        name, namespace = pod.metadata.name, pod.metadata.namespace
        end = time.monotonic() + smoke_pod.deadline(self._planned)
        while (left := end - time.monotonic()) > 0:
            begun = False
            for kind, seen in self.hook.watch(
                "v1", "Pod", name, namespace, seconds=min(left, _WATCH_SECONDS)
            ):
                begun, self._seen = True, seen
                if self._prober_ended():
                    return
                if kind == "DELETED":
                    raise self._gone(name)
                self._raise_if_hopeless()
            if not begun and self.hook.get("v1", "Pod", name, namespace) is None:
                raise self._gone(name)
        raise self._never_started(namespace)

    def is_istio_enabled(self, pod: V1Pod) -> bool:
        """True makes the pod operator judge the prober alone, not wait for the sidecar's end."""
        return True

    def cleanup(self, pod: V1Pod, remote_pod: V1Pod, **_kwargs: Any) -> None:
        """Show the service's log and take the pod away; the verdict alone judges."""
        if self._killed or self.pod is None:
            return
        name, namespace = self.pod.metadata.name, self.pod.metadata.namespace
        if self._seen:
            self.log.info("The service's log ends:\n%s", self._service_log() or "(no output)")
        try:
            self.hook.delete("v1", "Pod", name, namespace, grace=0)
        except Exception as error:  # the pod has a deadline of its own, and the next try sweeps
            self.log.warning("Pod %s could not be deleted: %s", name, error)

    def _sweep(self, wanted: V1Pod) -> None:
        """Delete this service's smoke pods of earlier tries of this task, and forgotten ones."""
        mine = wanted.metadata.labels
        selector = marks.label_selector({marks.SMOKE_TEST_OF: self._planned.name})
        for pod in self.hook.pods(wanted.metadata.namespace, selector):
            metadata = pod["metadata"]
            labels = metadata.get("labels") or {}
            same_task = all(
                labels.get(key) == mine.get(key) for key in ("dag_id", "task_id", "run_id")
            )
            if same_task or _is_over(pod):
                self.log.info("Sweeping pod %s, left over by an earlier try", metadata["name"])
                self.hook.delete("v1", "Pod", metadata["name"], metadata["namespace"], grace=0)

    def _container(self, name: str) -> dict[str, Any]:
        status = self._seen.get("status") or {}
        listed = [
            *(status.get("initContainerStatuses") or []),
            *(status.get("containerStatuses") or []),
        ]
        return next((item for item in listed if item["name"] == name), {})

    def _prober_ended(self) -> dict[str, Any] | None:
        state = self._container(smoke_pod.PROBER).get("state") or {}
        return state.get("terminated")

    def _verdict(self) -> verdict.Verdict:
        """The prober's, if it is a good one on this image in this run.

        A pod that was killed has left none: then this fails, however the pod operator took it.
        """
        ended = self._prober_ended()
        if ended is None:
            raise self._gone(self.pod.metadata.name if self.pod else "of the smoke test")
        found = verdict.read(ended.get("message") or "")
        if found is None:
            raise self._no_verdict(ended)
        if not found.ok:
            answer = f"; its answer began {found.body.strip()[:200]!r}" if found.body else ""
            raise SmokeTestFailed(
                f"The image does not pass its smoke test: GET {found.asked} {found.problem} in "
                f"{found.seconds:.0f} s{answer}{self._log_tail()}"
            )
        return verdict.check(found.dump(), digest=self._digest, run_id=self._planned.run_id)

    def _no_verdict(self, ended: dict[str, Any]) -> SmokeTestFailed:
        text = " ".join((ended.get("message") or ended.get("reason") or "").split())
        if "python3" in text and ("not found" in text or "no such file" in text):
            return SmokeTestFailed(
                "The smoke test needs python3 in the image and there is none on its PATH; base the "
                "image on python:3.11."
            )
        return SmokeTestFailed(
            f"The smoke test's prober ended with exit code {ended.get('exitCode')} and without a "
            f"verdict ({text[:500]}).",
            retryable=True,
        )

    def _raise_if_hopeless(self) -> None:
        """Fail early when waiting is in vain: the service crashed, the image cannot be pulled."""
        for name in (APP, smoke_pod.PROBER):
            finding = diagnosis.of_container(self._container(name))
            if finding is None or (finding.retryable and not finding.final):
                continue
            lines = "" if "\n" in finding.sentence else self._log_tail()
            raise SmokeTestFailed(
                f"The image does not pass its smoke test: {finding.sentence}{lines}",
                retryable=finding.retryable,
            )
        status = self._seen.get("status") or {}
        if status.get("phase") == "Failed":
            reason = status.get("message") or status.get("reason") or "no reason given"
            raise SmokeTestFailed(f"The smoke test's pod failed: {reason}.", retryable=True)

    def _gone(self, name: str) -> SmokeTestFailed:
        return SmokeTestFailed(
            f"Pod {name} was deleted before it gave a verdict, so nothing was applied.",
            retryable=True,
        )

    def _never_started(self, namespace: str) -> SmokeTestFailed:
        events = self.hook.events(namespace) if self._seen else []
        finding = diagnosis.of_pod(self._seen, events) if self._seen else None
        why = finding.sentence if finding else "it gave no reason"
        return SmokeTestFailed(
            f"The smoke test's pod did not start in {smoke_pod.START_SECONDS} s: {why}.",
            retryable=True,
        )

    def _service_log(self) -> str:
        """The end of the service's log; read once, while the pod is there."""
        if self._service_output is None:
            previous = self._container(APP).get("restartCount", 0) > 0
            metadata = self._seen["metadata"]
            where = metadata["namespace"], metadata["name"], APP
            text = self.hook.logs(*where, lines=LOG_LINES, previous=previous)
            self._service_output = text.rstrip()
        return self._service_output

    def _log_tail(self) -> str:
        return diagnosis.tail(self._service_log()) if self._seen else ""


def _is_over(pod: dict[str, Any]) -> bool:
    """Whether a pod has ended, or outlived the deadline that Kubernetes should have ended it by."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    allowed = pod["spec"].get("activeDeadlineSeconds") or smoke_pod.START_SECONDS
    return datetime.now(UTC) - made > timedelta(seconds=allowed + 60)
