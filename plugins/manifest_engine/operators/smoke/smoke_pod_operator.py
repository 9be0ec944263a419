"""Runs the pod of the smoke test by Airflow's KubernetesPodOperator.

Only this module imports KubernetesPodOperator: the import takes most of a second and 80 MiB, which
the parse of a DAG file and other steps must not pay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodManager

from manifest_engine.domain.core.errors import Cancelled
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release import release as releases
from manifest_engine.domain.smoke import outcome as smoke_outcome
from manifest_engine.domain.smoke import pod as smoke_pod
from manifest_engine.domain.smoke import verdict
from manifest_engine.domain.workload import refusals
from manifest_engine.domain.workload.pod import APP
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.operators.core.step import WAITING_KEY
from manifest_engine.services.smoke.pod_watch import SmokePodWatch

if TYPE_CHECKING:
    from airflow.sdk import Context
    from kubernetes.client import V1Pod

    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.smoke.verdict import Verdict


class _AwaitedPods(PodManager):
    """A pod manager that does not wait: :class:`SmokePodOperator` watches the pod itself."""

    def await_pod_completion(self, pod: V1Pod, *_args: Any, **_kwargs: Any) -> V1Pod:
        return pod


class SmokePodOperator(KubernetesPodOperator):
    """Start the image as the Deployment does, call the service at the pod's own address.

    The pod is watched, not polled, and always deleted at the end.

    :param release: XCom of ``validate``.
    :param push: XCom of ``push_image``; ``digest`` is used.
    """

    def __init__(self, *, release: Any, push: Any, **kwargs: Any) -> None:
        super().__init__(
            base_container_name=APP,
            get_logs=False,
            log_events_on_startup=False,
            termination_message_policy="FallbackToLogsOnError",
            durable=False,  # pods of earlier tries are deleted, never reused
            termination_grace_period=1,
            **kwargs,
        )
        self.release = release
        self.push = push
        self._watch: SmokePodWatch | None = None
        self._on_pending: Callable[[str], None] = self.log.info
        self._found: Verdict | None = None

    @cached_property
    def hook(self) -> ClusterHook:
        """The cluster of the release's environment."""
        return ClusterHook(self._planned.environment.cluster.connection)

    @cached_property
    def pod_manager(self) -> PodManager:
        """The pod manager of the pod operator."""
        return _AwaitedPods(kube_client=self.client, callbacks=self.callbacks)

    @cached_property
    def _planned(self) -> Release:
        return releases.load(self.release)

    @cached_property
    def _digest(self) -> str:
        return releases.pushed_digest(self.push)

    def test(self, context: Context) -> dict[str, Any]:
        """Run the pod and return the verdict as JSON.

        :raises SmokeTestFailed: naming the request, the answer, and the service's last log lines.
        """
        release = self._planned
        namespace = release.environment.cluster.namespace
        self._on_pending = partial(context["ti"].xcom_push, WAITING_KEY)
        with self.hook.api.explained(refusals.Attempt("run", "pods", namespace)):
            self.execute_sync(context)
        found = self._verdict()
        image, answer = release.image_at(self._digest), found.status or "is ready"
        self.log.info("%s: %s: %s after %.1f s", image, found.request, answer, found.seconds)
        return found.dump()

    def build_pod_request_obj(
        self, context: Context | None = None, *, dry_run: bool = False
    ) -> V1Pod:
        """The pod of ``domain.smoke.pod`` with the labels of the pod operator."""
        release = self._planned
        self.name = f"{release.name[:45].rstrip('-')}-smoke"
        self.namespace = release.environment.cluster.namespace
        self.pod_template_dict = smoke_pod.smoke_pod(release, self._digest)
        return super().build_pod_request_obj(context, dry_run=dry_run)

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Delete the pods of earlier tries, then create the pod.

        :raises Cancelled: when the task was cancelled; :meth:`cleanup` follows.
        """
        self._sweep(pod_request_obj)
        self._refuse_killed()
        body = self.hook.api_client.sanitize_for_serialization(pod_request_obj)
        self.pod = pod_request_obj  # set first: the answer to the request may be lost
        made = self.hook.create(body)
        self._refuse_killed()
        self.log.info("Pod %s is created", made["metadata"]["name"])
        return pod_request_obj

    def on_kill(self) -> None:
        """Delete the pod, or prevent its creation."""
        self._killed = True
        self._delete()

    def _refuse_killed(self) -> None:
        if self._killed:
            raise Cancelled("The task was cancelled.")

    def find_pod(self, *_args: Any, **_kwargs: Any) -> V1Pod | None:
        """The pod of this try. Other pods are never reused."""
        return self.pod

    def await_pod_start(self, pod: V1Pod) -> None:
        """Does nothing: one watch covers start and end."""

    def await_pod_completion(self, pod: V1Pod) -> None:
        """Watch the pod until there is a verdict."""
        self._watch = SmokePodWatch(
            self.hook, self._planned, self._digest, pod.metadata.name, self.log
        )
        self._watch.on_pending = self._on_pending
        self._found = self._watch.verdict()

    def is_istio_enabled(self, pod: V1Pod) -> bool:
        """False, without a request: Istio does not matter here."""
        return False

    def cleanup(self, pod: V1Pod, remote_pod: V1Pod, **_kwargs: Any) -> None:
        """Log the service's last lines and delete the pod. Only the verdict decides the result."""
        try:
            if self._watch and not self._killed:
                log = self._watch.service_log() or "(no output)"
                self.log.info("The service's log ends:\n%s", log)
        finally:
            self._delete()  # also after on_kill, which may run just before the creation

    def _delete(self) -> None:
        if self.pod is None:
            return
        name, namespace = self.pod.metadata.name, self.pod.metadata.namespace
        try:
            self.hook.delete("v1", "Pod", name, namespace, grace=0)
        except Exception as error:  # the pod has its own deadline, and the next try deletes it
            self.log.warning("Pod %s could not be deleted: %s", name, error)

    def _sweep(self, planned: V1Pod) -> None:
        """Delete the service's smoke pods of earlier tries, and expired ones of other runs."""
        own_labels = planned.metadata.labels
        selector = label.label_selector({label.SMOKE_TEST_OF: self._planned.name})
        for pod in self.hook.find("v1", "Pod", planned.metadata.namespace, labels=selector):
            metadata = pod["metadata"]
            labels = metadata.get("labels") or {}
            same_task = all(
                labels.get(key) == own_labels.get(key) for key in ("dag_id", "task_id", "run_id")
            )
            if same_task or smoke_outcome.is_over(pod, datetime.now(UTC)):
                self.log.info("Deleting pod %s of an earlier try", metadata["name"])
                self.hook.delete("v1", "Pod", metadata["name"], metadata["namespace"], grace=0)

    def _verdict(self) -> Verdict:
        """The verdict on this image in this run; raises SmokeTestFailed for a bad verdict."""
        if self._watch is None or self._found is None:
            raise smoke_outcome.pod_deleted("of the smoke test")
        found = smoke_outcome.judge(self._found, self._watch.service_log())
        return verdict.check(found.dump(), digest=self._digest, run_id=self._planned.run_id)
