"""The smoke pod as the pod operator would create it, and what is made of a pod's end."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from manifest_engine.domain.errors import Cancelled, ClusterError, SmokeTestFailed, StateError
from manifest_engine.hooks import pod_evidence
from manifest_engine.operators.smoke_pod_operator import SmokePodOperator
from manifest_engine.operators.smoke_test import SmokeTest

from tests.unit.domain.releases import DIGEST, make_release


def task(**fields):
    release = make_release(**fields)
    return SmokePodOperator(task_id="smoke_test", release=release.dump(), push={"digest": DIGEST})


def pod(**fields):
    made = task(**fields).build_pod_request_obj(dry_run=True)
    from kubernetes.client import ApiClient

    return ApiClient().sanitize_for_serialization(made)


def verdict(**changes):
    given = {"digest": DIGEST, "runId": "run-1", "asked": "/health", "status": 200, "ok": True}
    return json.dumps(given | {"seconds": 0.5, "problem": "", "body": ""} | changes)


def test_the_service_starts_beside_the_prober_without_probes_and_once():
    spec = pod()["spec"]
    _, service = spec["containers"]
    assert service["image"].endswith("@" + DIGEST)
    assert not {"startupProbe", "readinessProbe", "livenessProbe"} & service.keys()
    assert not spec["initContainers"]
    assert spec["restartPolicy"] == "Never"


def test_the_prober_runs_the_same_digest_so_that_no_other_image_is_needed():
    prober, _ = pod()["spec"]["containers"]
    assert prober["image"].endswith("@" + DIGEST)
    assert prober["command"][:4] == ["python3", "-I", "-S", "-c"]
    compile(prober["command"][4], "prober", "exec")


def test_the_prober_is_told_what_to_ask_and_what_to_expect():
    asked = {"path": "/x", "expectStatus": 201, "expectBody": "b", "timeoutSeconds": 9}
    told = json.loads(pod(port=9000, smokeTest=asked)["spec"]["containers"][0]["command"][5])
    assert told == {
        "digest": DIGEST,
        "runId": "run-1",
        "port": 9000,
        "path": "/x",
        "expectStatus": 201,
        "expectBody": "b",
        "timeoutSeconds": 9,
    }


def test_the_service_has_what_it_will_have_in_the_deployment():
    from manifest_engine.domain import resources

    fields = {"env": {"A": "b"}, "secretEnv": {"S": "s/k"}, "cluster": {"nodeSelector": {"n": "m"}}}
    smoke = pod(**fields)["spec"]
    deployed = resources.workload(make_release(**fields), DIGEST, {})[0]["spec"]["template"]["spec"]
    for field in ("env", "resources", "securityContext", "ports", "image"):
        assert smoke["containers"][1][field] == deployed["containers"][0][field]
    assert smoke["nodeSelector"] == deployed["nodeSelector"]
    assert smoke["securityContext"] == deployed["securityContext"]


def test_a_pod_that_is_forgotten_ends_by_itself():
    spec = pod(smokeTest={"timeoutSeconds": 60})["spec"]
    assert spec["activeDeadlineSeconds"] == 390
    assert spec["terminationGracePeriodSeconds"] == 1


def test_the_pod_is_named_after_the_service_and_found_by_it():
    metadata = pod()["metadata"]
    assert metadata["name"].startswith("pricing-quotes-smoke-")
    assert metadata["namespace"] == "apps"
    assert metadata["labels"]["manifest-engine.io/smoke-test-of"] == "pricing-quotes"


def test_a_long_name_still_makes_a_valid_pod_name():
    made = pod(component="a" * 31, serviceName="b" * 31)
    assert len(made["metadata"]["name"]) <= 63


def test_without_a_digest_nothing_is_started():
    made = SmokePodOperator(task_id="smoke_test", release=make_release().dump(), push=None)
    with pytest.raises(StateError, match="push_image"):
        made.build_pod_request_obj(dry_run=True)


class Cluster:
    """Knows which pods there are; ``during`` is called in the middle of a request of that name."""

    def __init__(self, **during):
        self.pods = set()
        self.created = 0
        self.shows = []
        self.core_v1_client = None
        self.api_client = SimpleNamespace(sanitize_for_serialization=_as_json)
        self._during = during

    def find(self, *_, **__):
        self._happens("find")
        return []

    def create(self, wanted):
        self.created += 1
        self._happens("create")
        self.pods.add(wanted["metadata"]["name"])
        self._happens("answer")
        return wanted

    def watch(self, _version, _kind, name, namespace, *, seconds):
        assert 0 < seconds <= 60
        for states in self.shows:
            status = [{"name": name, "state": state} for name, state in states.items()]
            metadata = {"name": name, "namespace": namespace}
            yield "MODIFIED", {"metadata": metadata, "status": {"containerStatuses": status}}
        pytest.fail("more was waited for than there was to see")

    def delete(self, api_version, kind, name, namespace, *, grace):
        assert (api_version, kind, namespace, grace) == ("v1", "Pod", "apps", 0)
        found = name in self.pods
        self.pods.discard(name)
        return found

    def _happens(self, what):
        self._during.get(what, lambda: None)()


def _as_json(made):
    from kubernetes.client import ApiClient

    return ApiClient().sanitize_for_serialization(made)


def run_in(cluster, made):
    made.hook = cluster
    made.pod_request_obj = made.build_pod_request_obj(dry_run=True)
    made.execute_sync({"ti": SimpleNamespace(xcom_push=lambda **_: None)})


@pytest.mark.parametrize(("moment", "created"), [("find", 0), ("create", 1), ("answer", 1)])
def test_a_task_that_is_ended_while_its_pod_is_being_made_leaves_none(moment, created):
    made = task()
    cluster = Cluster(**{moment: made.on_kill})
    with pytest.raises(Cancelled):
        run_in(cluster, made)
    assert (cluster.created, cluster.pods) == (created, set())


def test_a_pod_whose_creation_was_answered_by_nothing_is_taken_away():
    def lost():
        raise ClusterError("The API server could not be reached.", retryable=True)

    cluster = Cluster(answer=lost)
    with pytest.raises(ClusterError):
        run_in(cluster, task())
    assert (cluster.created, cluster.pods) == (1, set())


@pytest.fixture
def logged(monkeypatch):
    """What the log of the prober says, and how often it was asked for."""
    given = SimpleNamespace(line="", asked=0)

    def first_line(_hook, namespace, _pod, container, *, seconds):
        assert (namespace, container) == ("apps", "prober")
        given.asked += 1
        return given.line

    monkeypatch.setattr(pod_evidence, "first_line", first_line)
    monkeypatch.setattr(pod_evidence, "last_lines", lambda *_, **__: "line 1\nline 2\n")
    return given


def smoke_in(*shows):
    cluster, made = Cluster(), task()
    cluster.shows = shows
    run_in(cluster, made)
    assert cluster.pods == set()
    return made._verdict()


WAITS = {"prober": {"waiting": {}}, "app": {"waiting": {}}}
RUNS = {"prober": {"running": {}}, "app": {"running": {}}}


def ended(message, code=0):
    return RUNS | {"prober": {"terminated": {"exitCode": code, "message": message}}}


def test_the_verdict_is_read_from_the_log_before_the_status_shows_it(logged):
    logged.line = verdict(body="of the log")
    assert smoke_in(WAITS, RUNS).body == "of the log"


@pytest.mark.parametrize("line", ["", "no verdict"])
def test_without_one_in_the_log_the_status_is_waited_for_and_the_log_not_asked_again(logged, line):
    logged.line = line
    assert smoke_in(WAITS, RUNS, RUNS, ended(verdict(body="of the status"))).body == "of the status"
    assert logged.asked == 1


def test_a_bad_verdict_in_the_log_fails_like_any_other(logged):
    logged.line = verdict(ok=False, problem="answered 500 instead of 200")
    with pytest.raises(SmokeTestFailed, match="answered 500 instead of 200 in"):
        smoke_in(RUNS)


def test_a_service_that_ends_by_itself_is_not_waited_for(logged):
    with pytest.raises(SmokeTestFailed, match="ended by itself with exit code 0") as raised:
        smoke_in(RUNS, RUNS | {"app": {"terminated": {"exitCode": 0}}})
    assert str(raised.value).endswith("line 1\nline 2")
    assert raised.value.retryable is False


def test_a_bad_verdict_tells_question_answer_and_the_services_last_lines(logged):
    bad = verdict(ok=False, problem="answered 500 instead of 200", body="oops")
    with pytest.raises(SmokeTestFailed) as raised:
        smoke_in(ended(bad))
    assert "GET /health answered 500 instead of 200" in str(raised.value)
    assert "'oops'" in str(raised.value)
    assert str(raised.value).endswith("line 1\nline 2")
    assert raised.value.retryable is False


def test_an_image_without_python_is_told_what_it_lacks(logged):
    message = 'exec: "python3": executable file not found in $PATH'
    with pytest.raises(SmokeTestFailed, match="needs python3 in the image"):
        smoke_in(ended(message, code=128))


def test_a_prober_that_ends_without_a_verdict_is_worth_a_retry(logged):
    with pytest.raises(SmokeTestFailed, match=r"exit code 137 .* \(Killed\)") as raised:
        smoke_in(ended("Killed", code=137))
    assert raised.value.retryable


def test_a_verdict_of_another_run_does_not_count(logged):
    with pytest.raises(StateError):
        smoke_in(ended(verdict(runId="run-2")))


def test_a_task_that_saw_no_end_has_no_verdict_and_so_fails(monkeypatch):
    made = task()
    made.hook = SimpleNamespace(api=SimpleNamespace(explained=lambda _: nullcontext()))
    monkeypatch.setattr(SmokePodOperator, "execute_sync", lambda *_: None)
    with pytest.raises(SmokeTestFailed, match="deleted before it gave a verdict") as raised:
        made.test({})
    assert raised.value.retryable


def test_a_task_that_is_ended_before_it_has_begun_makes_no_pod(monkeypatch):
    step = SmokeTest(task_id="smoke_test", release={}, push={})
    monkeypatch.setattr(SmokePodOperator, "test", lambda *_: pytest.fail("the pod was started"))
    step.on_kill()
    with pytest.raises(Cancelled):
        step.run({})
