"""The course of a smoke test: what to request next, and when the verdict is certain.

First the pod must be ready, as the kubelet judges it. Then the smoke test's request must get the
expected answer. One answer can decide both.
"""

from __future__ import annotations

from dataclasses import dataclass

from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.smoke import answer as answers
from manifest_engine.domain.smoke.answer import Answer, Request

SETTLE_SECONDS = 5.0
"""How long an answer that no starting service gives, such as a redirect, may become right."""
_PATIENCE_SECONDS = 30.0
"""Limit of the one request that measures how slow a slow service is."""
_TIMEOUTS = 2
"""Requests that time out before the slow service is measured: the first one may warm it up."""
_SMOKE_SECONDS = 10.0
"""Limit of one request of the smoke test, which is no probe."""


@dataclass(frozen=True)
class Conclusion:
    """The end of a smoke test."""

    asked: str
    """The requested path, or the readiness check when there is none."""
    answer: Answer
    problem: str = ""
    """Empty when the smoke test is passed."""


class Progress:
    """Judges each answer in turn. Times are seconds since the start of the container."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        ready = manifest.readiness
        self._health: Request | None = None
        if ready.kind == "http":
            port = ready.port or manifest.port
            self._health = Request(port, manifest.health_path, ready.timeout_seconds)
        self._smoke: Request | None = None
        if path := manifest.smoke_path:
            self._smoke = Request(manifest.port, path, _SMOKE_SECONDS)
        self._one_request = _same(self._health, self._smoke)
        self._ready_at: float | None = None
        self._wrong_since: float | None = None
        self._timeouts = 0
        self._measured: float | None = None
        self._measures = False
        self._heard = False
        """Whether the service has listened. A port that closes afterwards is not the cause."""
        self._last = Answer(None, problem="nothing was asked")

    @property
    def request(self) -> Request | None:
        """The next request; None while only the kubelet can tell whether the pod is ready."""
        if self._ready_at is not None:
            return self._smoke
        self._measures = self._timeouts >= _TIMEOUTS and self._measured is None
        if self._measures and self._health:
            return Request(self._health.port, self._health.path, _PATIENCE_SECONDS)
        return self._health

    @property
    def last(self) -> Answer:
        """The last answer of the service, or the last refused connection if it never listened."""
        return self._last

    @property
    def is_ready(self) -> bool:
        """Whether the pod was ready, so that the kubelet ends it only for its liveness."""
        return self._ready_at is not None

    def judge(
        self, answer: Answer | None, now: float, *, took: float = 0.0, pod_ready: bool = False
    ) -> Conclusion | None:
        """The conclusion, None if the next answer may differ.

        :param answer: the answer to :attr:`request`, None without a request.
        :param took: seconds that the answer took.
        :param pod_ready: whether the kubelet says that the pod is ready.
        """
        if answer and not (answer.refused and self._heard):
            self._last = answer
            self._heard = not answer.refused
        if self._ready_at is None:
            limit = self._health.seconds if self._health else 0.0
            in_time = answer is not None and answer.is_right and took <= limit
            if not (in_time or pod_ready):
                return self._judge_unready(answer, now, took)
            self._ready_at, self._wrong_since = now, None
            if self._smoke is None:
                return Conclusion(self._asked, answer or Answer(None))
            if answer is None or not self._one_request:
                return None
        return self._judge_smoke(answer, now, pod_ready) if answer else None

    def never_ready(self, now: float, why: str = "") -> Conclusion:
        """The conclusion for a pod that cannot become ready.

        :param why: the cause, if known.
        """
        return self._failed(self._last, now, why)

    @property
    def _kubelet_suffices(self) -> bool:
        """Whether the kubelet's own request is all that the manifest asks for.

        A NetworkPolicy, for example, may let the kubelet through, but not the API server.
        """
        expected = self._manifest.smoke_test
        return self._one_request and not expected.expect_body and expected.expect_status is None

    @property
    def _asked(self) -> str:
        asks = self._smoke if self._ready_at is not None else self._health
        return asks.path if asks else f"{self._manifest.readiness.kind} check"

    def _judge_unready(self, answer: Answer | None, now: float, took: float) -> Conclusion | None:
        if answer is not None:
            if answer.is_right and self._measures:
                self._measured = took
                return None
            self._timeouts = self._timeouts + 1 if answer.timed_out else 0
            if self._measured and answer.timed_out:
                return self._failed(answer, now, self._slow())
            if self._lasts(answer, now):
                return self._failed(answer, now)
        if now <= self._manifest.startup:
            return None
        if answer is None:
            return Conclusion(self._asked, self._last, f"did not pass in {now:.0f} s")
        return self._failed(self._last, now)

    def _judge_smoke(self, answer: Answer, now: float, pod_ready: bool) -> Conclusion | None:
        expected = self._manifest.smoke_test
        ready_for = now - (self._ready_at or 0.0)
        if answer.status is not None:
            if not expected.problem(answer.status, answer.body):
                return Conclusion(self._asked, answer)
            if answer.is_right and ready_for <= SETTLE_SECONDS:
                return None
            if answer.is_right or self._lasts(answer, now):
                return self._failed(answer, now)
        elif pod_ready and ready_for > SETTLE_SECONDS and self._kubelet_suffices:
            return Conclusion(self._asked, answer)
        return self._failed(answer, now) if ready_for > expected.timeout_seconds else None

    def _lasts(self, answer: Answer, now: float) -> bool:
        """Whether an answer that no starting service gives has not changed for long enough."""
        if answer.tls:
            return True
        if answer.may_pass:
            self._wrong_since = None
            return False
        self._wrong_since = now if self._wrong_since is None else self._wrong_since
        return now - self._wrong_since > SETTLE_SECONDS

    def _failed(self, answer: Answer, now: float, why: str = "") -> Conclusion:
        expected = self._manifest.smoke_test
        if answer.tls:
            problem = "gets no answer to plain HTTP"
        elif answer.status is not None:
            problem = expected.problem(answer.status, answer.body)
            problem = problem or f"answers {answer.status}"
        elif answer.timed_out:
            problem = self._slow()
        else:
            problem = f"gets no answer on port {self._port} of the pod's address ({answer.problem})"
        advice = why or answers.advice(answer, self._asked, expected.expect_status)
        if not advice and answer.refused:
            advice = (
                "nothing listens there; if the service listens on 127.0.0.1 or localhost alone, "
                "bind 0.0.0.0; if on another port, set port in the manifest to that"
            )
        if self._ready_at is None and answer.may_pass and not why:
            problem += f", {now:.0f} s after the start (startupSeconds {self._manifest.startup})"
        if advice and advice not in problem:
            problem += f"; {advice}"
        return Conclusion(self._asked, answer, problem)

    @property
    def _port(self) -> int:
        asks = self._smoke if self._ready_at is not None else self._health
        return asks.port if asks else self._manifest.port

    def _slow(self) -> str:
        limit = self._manifest.readiness.timeout_seconds
        if self._ready_at is not None:
            return f"does not answer within {_SMOKE_SECONDS:.0f} s"
        took = f"answers only after {self._measured:.1f} s" if self._measured else "does not answer"
        return (
            f"{took}, and the probes wait for {limit} s; make it quicker, or raise "
            "readiness.timeoutSeconds"
        )


def _same(health: Request | None, smoke: Request | None) -> bool:
    if health is None or smoke is None:
        return False
    return (health.port, health.path) == (smoke.port, smoke.path)
