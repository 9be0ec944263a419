"""Why an image cannot be pulled, and whether a retry may succeed."""

import pytest
from manifest_engine.domain.workload import diagnosis, image_pull
from manifest_engine.domain.workload.finding import flat

from tests.unit.domain.workload.pods import container, event, pod


def test_a_permanent_image_pull_error_is_final_and_not_retryable():
    waiting = {"reason": "ImagePullBackOff", "message": "401 unauthorized"}
    found = diagnosis.of_container(container(waiting=waiting))
    assert found.sentence == "the image i@d cannot be pulled: 401 unauthorized"
    assert (found.final, found.retryable) == (True, False)


def without_secret(*, times):
    unread = event(
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (acr); attempting to pull the image may not "
        "succeed.",
    )
    return unread | {"count": times}


def test_a_node_that_learned_late_of_the_pull_secret_pulls_again():
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        waiting = {"reason": reason, "message": "401 Unauthorized"}
        found = diagnosis.of_pod(pod(container(waiting=waiting)), [without_secret(times=1)])
        assert image_pull.node_retries(found)
    again = diagnosis.of_pod(pod(container(waiting=waiting)), [without_secret(times=2)])
    assert again.final
    assert not image_pull.node_retries(again)


@pytest.mark.parametrize(
    ("message", "retryable"),
    [("401 Unauthorized", True), ("403 Forbidden", True), ("invalid reference format", False)],
)
def test_a_pull_denied_without_the_pull_secret_is_retryable(message, retryable):
    waiting = {"reason": "ImagePullBackOff", "message": message}
    found = diagnosis.of_pod(pod(container(waiting=waiting)), [without_secret(times=3)])
    assert (found.final, found.retryable) == (True, retryable)
    assert ("image pull secrets (acr)" in found.sentence) is retryable


@pytest.mark.parametrize("message", ["not found", "503 Service Unavailable", "i/o timeout"])
def test_a_transient_image_pull_error_is_retryable(message):
    waiting = {"reason": "ErrImagePull", "message": message}
    found = diagnosis.of_container(container(waiting=waiting))
    assert (found.final, found.retryable) == (False, True)


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com/datafactory/timeout-service/refused:1.429.0",
        "registry.example.com/datafactory/pricing/quotes@sha256:" + "429502503504" * 5 + "0000",
        "registry.example.com:502/datafactory/pricing/quotes:503",
        "goaway.example.com/datafactory/broken-pipe/no-such-host:EOF",
    ],
)
def test_an_image_name_that_looks_like_a_transient_error_is_ignored(image):
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
def test_a_transient_error_is_recognised_beside_names(message):
    waiting = {"reason": "ImagePullBackOff", "message": message}
    assert diagnosis.of_container(container(waiting=waiting)).retryable


HEAD = 'failed to do request: Head "https://r.example.com/v2/datafactory/quotes/manifests/1": '
GET = (
    "failed to copy: httpReadSeeker: failed open: failed to do request: Get "
    '"https://weu.blob.core.windows.net/7c54f31e3fc8//docker/registry/v2/blobs/sha256/eb/eb4d/data'
    f'?se=2026-01-01T00%3A00%3A00Z&sig={"s" * 600}&sp=r&sv=2018-03-28": '
)


@pytest.mark.parametrize(
    "message",
    [
        HEAD + "dial tcp: lookup r.example.com on 168.63.129.16:53: server misbehaving",
        HEAD + "dial tcp: lookup r.example.com on 168.63.129.16:53: no such host",
        HEAD + "dial tcp: lookup r.example.com: Temporary failure in name resolution",
        HEAD + "dial tcp 10.0.0.1:443: connect: no route to host",
        HEAD + "dial tcp 10.0.0.1:443: connect: network is unreachable",
        HEAD + "dial tcp 10.0.0.1:443: connect: connection timed out",
        HEAD + "dial tcp 10.0.0.1:443: i/o timeout",
        HEAD + "EOF",
        HEAD + "context deadline exceeded",
        HEAD + "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        GET + "EOF",
        GET + "http2: server sent GOAWAY and closed the connection; LastStreamID=19, "
        'ErrCode=NO_ERROR, debug=""',
        GET + "write tcp 10.224.0.4:33742->20.60.26.4:443: write: broken pipe",
        "failed to copy: read tcp 10.224.0.4:33742->20.60.26.4:443: read: connection reset by peer",
        "failed to copy: httpReadSeeker: failed open: unexpected EOF",
    ],
)
def test_a_registry_that_is_briefly_unreachable_is_retryable(message):
    wrapped = f'failed to pull and unpack image "r.example.com/datafactory/quotes:1": {message}'
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        waiting = {"reason": reason, "message": wrapped}
        found = diagnosis.of_container(container(waiting=waiting))
        assert found.retryable
        assert found.sentence.endswith(message[-30:])


def test_a_long_message_keeps_its_end_with_the_cause():
    text = flat(GET + "EOF")
    assert text.startswith("failed to copy: httpReadSeeker")
    assert text.endswith(": EOF")
    assert len(text) < 610


def test_a_host_name_that_looks_like_a_transient_error_is_ignored():
    message = (
        f"{HEAD}tls: failed to verify certificate: x509: certificate is valid for timeout.example"
        ".com, eof.example.com, broken-pipe.example.com, goaway-1, not r.example.com"
    )
    waiting = {"reason": "ImagePullBackOff", "message": message}
    assert diagnosis.of_container(container(waiting=waiting)).retryable is False


def test_a_long_image_reference_does_not_hide_the_cause():
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


def test_the_image_reference_is_not_repeated():
    message = (
        'failed to pull and unpack image "i@d": failed to resolve reference "i@d": i@d: not found'
    )
    backing_off = f'Back-off pulling image "i@d": ErrImagePull: {message}'
    for reason, text in (("ErrImagePull", message), ("ImagePullBackOff", backing_off)):
        found = diagnosis.of_container(container(waiting={"reason": reason, "message": text}))
        assert found.sentence == "the image i@d cannot be pulled: i@d: not found"


@pytest.mark.parametrize(
    ("message", "final"),
    [
        ("dial tcp: i/o timeout", False),
        ("429 Too Many Requests", False),
        ("name@sha256:1: not found", True),
        ("403 Forbidden", True),
    ],
)
def test_the_node_repeats_a_pull_that_may_succeed(message, final):
    assert image_pull.failed("registry/name", "ImagePullBackOff", message).final is final
