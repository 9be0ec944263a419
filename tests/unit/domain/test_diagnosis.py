"""Why a pod does not come up, in one sentence."""

import pytest
from manifest_engine.domain import diagnosis


def container(*, waiting=None, terminated=None, last=None, restarts=0, ready=False, image="i@d"):
    state = {"waiting": waiting} if waiting else {"terminated": terminated} if terminated else {}
    return {
        "name": "app",
        "image": image,
        "ready": ready,
        "restartCount": restarts,
        "state": state or {"running": {}},
        "lastState": {"terminated": last} if last else {},
    }


def pod(*containers, name="p", **status):
    found = {"containerStatuses": list(containers)} if containers else {}
    return {"metadata": {"name": name}, "status": found | status}


def event(reason, message, *, at="2026-01-01T00:00:00Z", name="p"):
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"name": name},
    }


def ended(code, *, reason="Error", message=""):
    return {"exitCode": code, "reason": reason, "message": message}


def test_a_healthy_pod_gives_no_finding():
    assert diagnosis.of_pod(pod(container(ready=True))) is None


def test_a_crash_is_told_with_exit_code_and_last_lines():
    given = container(waiting={"reason": "CrashLoopBackOff"}, last=ended(3, message="a\nb\n"))
    found = diagnosis.of_container(given)
    assert found.sentence == (
        "the service crashed with exit code 3. The service's last log lines:\na\nb"
    )
    assert found.retryable is False


def test_only_the_last_lines_of_a_log_are_repeated():
    text = diagnosis.tail("\n".join(str(i) for i in range(100)), lines=2)
    assert text.endswith("\n98\n99")


def test_colours_of_a_terminal_do_not_get_into_an_error():
    assert diagnosis.tail("\x1b[33mGET /\x1b[0m 404").endswith("\nGET / 404")


@pytest.mark.parametrize(("restarts", "final"), [(0, False), (1, False), (2, True)])
def test_a_crash_is_final_when_three_starts_have_failed(restarts, final):
    given = container(terminated=ended(1), restarts=restarts)
    assert diagnosis.of_container(given).final is final


def test_out_of_memory_is_told_as_such_and_not_as_exit_code_137():
    given = container(terminated=ended(137, reason="OOMKilled"))
    assert "more memory than its limit" in diagnosis.of_container(given).sentence


def test_an_image_pull_that_fails_for_good_is_final_and_not_retryable():
    waiting = {"reason": "ImagePullBackOff", "message": "401 unauthorized"}
    found = diagnosis.of_container(container(waiting=waiting))
    assert found.sentence == "the image i@d cannot be pulled: 401 unauthorized"
    assert (found.final, found.retryable) == (True, False)


@pytest.mark.parametrize(
    ("message", "retryable"),
    [("401 Unauthorized", True), ("403 Forbidden", True), ("invalid reference format", False)],
)
def test_a_pull_that_was_refused_for_want_of_the_pull_secret_is_retryable(message, retryable):
    unread = event(
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (acr); attempting to pull the image may not "
        "succeed.",
    )
    waiting = {"reason": "ImagePullBackOff", "message": message}
    found = diagnosis.of_pod(pod(container(waiting=waiting)), [unread])
    assert (found.final, found.retryable) == (True, retryable)
    assert ("image pull secrets (acr)" in found.sentence) is retryable


@pytest.mark.parametrize("message", ["not found", "503 Service Unavailable", "i/o timeout"])
def test_an_image_pull_that_may_succeed_later_is_retryable(message):
    waiting = {"reason": "ErrImagePull", "message": message}
    found = diagnosis.of_container(container(waiting=waiting))
    assert (found.final, found.retryable) == (False, True)


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com/datafactory/timeout-service/refused:1.429.0",
        "registry.example.com/datafactory/pricing/quotes@sha256:" + "429502503504" * 5 + "0000",
        "registry.example.com:502/datafactory/pricing/quotes:503",
    ],
)
def test_a_name_that_looks_like_a_passing_fault_is_none(image):
    message = (
        f"{image}: failed to authorize: failed to fetch oauth token: unexpected status from GET "
        f"request to https://{image.partition('/')[0]}/oauth2/token?id=429: 401 Unauthorized; "
        "CorrelationId: 50242999-0429-4503-8504-429502503504"
    )
    waiting = {"reason": "ImagePullBackOff", "message": message}
    found = diagnosis.of_container(container(waiting=waiting, image=image))
    assert (found.final, found.retryable) == (True, False)
    assert message in found.sentence


@pytest.mark.parametrize(
    "message",
    [
        "unexpected status from HEAD request to https://r/v2/x/manifests/1: 429 Too Many Requests",
        "failed to do request: Head https://r/v2/x/manifests/1: net/http: TLS handshake timeout",
        "failed to copy: httpReadSeeker: failed open: unexpected status code 500.",
        "dial tcp 10.0.0.1:443: connect: connection refused",
        'unexpected answer {"StatusCode":503}',
        "toomanyrequests: Rate exceeded",
    ],
)
def test_a_passing_fault_is_seen_beside_names(message):
    waiting = {"reason": "ImagePullBackOff", "message": message}
    assert diagnosis.of_container(container(waiting=waiting)).retryable


def test_a_long_reference_does_not_hide_why_a_pull_failed():
    image = f"{'r' * 200}/name@sha256:{'0' * 64}"
    message = (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        f"{image}: not found"
    )
    waiting = {"reason": "ErrImagePull", "message": message}
    found = diagnosis.of_container(container(waiting=waiting, image=image))
    assert found.sentence.endswith(": not found")
    assert found.retryable
    assert found.image_missing


def test_a_pull_error_does_not_repeat_the_reference_of_every_layer():
    message = (
        'failed to pull and unpack image "i@d": failed to resolve reference "i@d": i@d: not found'
    )
    backing_off = f'Back-off pulling image "i@d": ErrImagePull: {message}'
    for reason, text in (("ErrImagePull", message), ("ImagePullBackOff", backing_off)):
        found = diagnosis.of_container(container(waiting={"reason": reason, "message": text}))
        assert found.sentence == "the image i@d cannot be pulled: i@d: not found"


def test_a_missing_secret_is_final_at_once():
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}
    found = diagnosis.of_container(container(waiting=waiting))
    assert 'secret "db" not found' in found.sentence
    assert found.final


def test_a_failing_probe_is_told_with_what_it_was_answered():
    events = [
        event("Unhealthy", "old", at="2026-01-01T00:00:00Z"),
        event("Unhealthy", "HTTP probe failed with statuscode: 500", at="2026-01-01T00:00:09Z"),
    ]
    found = diagnosis.of_pod(pod(container()), events)
    assert found.sentence == (
        "the service does not become ready: HTTP probe failed with statuscode: 500"
    )


def test_what_a_probe_was_answered_tells_more_than_a_refused_connection_after_a_restart():
    events = [
        event("Unhealthy", "statuscode: 418", at="2026-01-01T00:00:01Z"),
        event("Unhealthy", "connect: connection refused", at="2026-01-01T00:00:09Z"),
    ]
    assert "418" in diagnosis.of_pod(pod(container()), events).sentence


def test_a_container_stopped_for_its_probe_has_not_crashed():
    stopped = container(last=ended(143), restarts=2)
    found = diagnosis.of_pod(pod(stopped), [event("Unhealthy", "statuscode: 418")])
    assert "418" in found.sentence
    assert found.final


def test_a_pod_that_fits_no_node_says_what_the_scheduler_said():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes: Insufficient cpu",
    }
    found = diagnosis.of_pod(pod(phase="Pending", conditions=[condition]))
    assert "Insufficient cpu" in found.sentence
    assert found.retryable


def test_events_of_other_pods_do_not_count():
    assert diagnosis.of_pod(pod(container()), [event("Unhealthy", "x", name="q")]) is None


def test_pods_that_cannot_even_be_made_are_told_from_the_deployment():
    def refused(message):
        condition = {"type": "ReplicaFailure", "status": "True", "message": message}
        return diagnosis.of_creation({"status": {"conditions": [condition]}})

    assert "quota" in refused("pods is forbidden: exceeded quota: small").sentence
    assert refused("exceeded quota").retryable
    assert refused("admission webhook denied the request").final


def test_the_closest_cause_among_several_pods_is_told():
    crashed = pod(container(terminated=ended(1), restarts=3), name="a")
    waiting = pod(phase="Pending", conditions=[], name="b")
    assert "exit code 1" in diagnosis.of_pods([waiting, crashed]).sentence


def test_lines_in_a_row_that_differ_in_their_time_alone_stand_once():
    text = "start 1\n10:00:01 GET /x 404\n10:00:02 GET /x 404\n10:00:02 GET /y 404\nstart 2"
    assert diagnosis.tail(text).splitlines()[1:] == [
        "start 1",
        "10:00:02 GET /x 404",
        "10:00:02 GET /y 404",
        "start 2",
    ]
