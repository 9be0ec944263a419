"""The event stream of a push, with events recorded from Docker Engine 26."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.engine.push_events import Unauthorized, digest

IMAGE = "registry.example.com:5443/datafactory/pricing/quote:1.4.0"
DIGEST = "sha256:" + "ec" * 32
BEGIN = {"status": "The push refers to repository [registry.example.com:5443/datafactory/…]"}
PUSHED = {"status": "Pushed", "progressDetail": {}, "id": "070e16486d3b"}
DONE = {"status": f"1.4.0: digest: {DIGEST} size: 1669"}
AUX = {"progressDetail": {}, "aux": {"Tag": "1.4.0", "Digest": DIGEST, "Size": 1669}}


def retrying(seconds: int) -> dict[str, Any]:
    return {"status": f"Retrying in {seconds} second", "progressDetail": {}, "id": "070e16486d3b"}


def failed(words: str) -> dict[str, Any]:
    return {"errorDetail": {"message": words}, "error": words}


def pushed_digest(*events: dict[str, Any], seconds: float = 60) -> str:
    return digest(iter(events), IMAGE, deadline_seconds=seconds)


@pytest.mark.parametrize("end", [[DONE], [DONE, AUX]], ids=["containerd", "docker"])
def test_the_digest_comes_from_the_last_events(end: list[dict[str, Any]]) -> None:
    assert pushed_digest(BEGIN, PUSHED, *end) == DIGEST


@pytest.mark.parametrize(
    ("words", "advice", "retryable"),
    [
        ("unauthorized: authentication required", "correct login and password", False),
        ("denied: requested access to the resource is denied", "the role AcrPush", False),
        ("unsupported: The operation is unsupported.", "unlock it", False),
        ("error parsing HTTP 405 response body: EOF", "unlock it", False),
        ("toomanyrequests: too many requests", "asked too often", True),
        (
            "Get https://registry.example.com/v2/: x509: certificate signed by unknown authority",
            "/etc/docker/certs.d",
            False,
        ),
        ("Get https://registry.example.com/v2/: dial tcp: connection refused", "later try", True),
        ("received unexpected HTTP status: 503 Service Unavailable", "later try", True),
        ("unexpected EOF", "later try", True),
    ],
)
def test_an_error_event_becomes_a_sentence_with_advice(
    words: str, advice: str, retryable: bool
) -> None:
    with pytest.raises(RegistryError) as caught:
        pushed_digest(BEGIN, failed(words))
    sentence = str(caught.value)
    assert "registry.example.com:5443 did not take datafactory/pricing/quote" in sentence
    assert words in sentence
    assert advice in sentence
    assert caught.value.retryable is retryable


@pytest.mark.parametrize(
    "words",
    [
        f'failed commit on ref "layer-sha256:{"405" * 21}0": unexpected EOF',
        "blob upload 3f405429-0405-4429-8405-405429405429 unknown: unexpected EOF",
        "Put https://registry.example.com/v2/locked/denied-quotes/manifests/1.405.0: EOF",
        "registry.example.com/datafactory/blocked/certificate-of:405: i/o timeout",
        "dial tcp 10.0.0.1:405: connect: connection refused",
        "version 1.405.0 of the proxy: unlocked, EOF",
    ],
)
def test_an_image_name_is_not_read_as_a_reason(words: str) -> None:
    with pytest.raises(RegistryError, match="a later try may succeed") as caught:
        pushed_digest(BEGIN, failed(words))
    assert caught.value.retryable
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (
            '{"errors":[{"code":"DENIED","detail":{"Name":"datafactory/pricing"}}]}',
            "the role AcrPush",
        ),
        (
            "unauthorized: authentication required, visit https://aka.ms/acr/authorization for "
            "more information. CorrelationId: 3f405429-0405-4429-8405-405429405429",
            "correct login and password",
        ),
        (
            "unexpected status from PUT request to https://r/v2/x/manifests/1: 405 Not Allowed",
            "unlock it",
        ),
        ("unexpected status from POST request to https://r/v2/x: 429", "asked too often"),
        (
            # github.com/Azure/acr/issues/633
            "denied: client with IP '203.0.113.9' is not allowed access. Refer "
            "https://aka.ms/acr/firewall to grant access.",
            "firewall of the registry does not admit this address",
        ),
        (
            # github.com/Azure/azure-sdk-for-net/issues/22827
            "unknown: The operation is disallowed on this registry, repository or image. View "
            "troubleshooting steps at https://aka.ms/acr/faq",
            "is locked",
        ),
    ],
)
def test_a_reason_is_found_beside_image_names(words: str, advice: str) -> None:
    with pytest.raises(RegistryError, match=advice):
        pushed_digest(BEGIN, failed(words))


def test_a_refused_login_has_its_own_error() -> None:
    with pytest.raises(Unauthorized):
        pushed_digest(failed("unauthorized: authentication required"))


def test_the_engine_retries_short_failures() -> None:
    assert pushed_digest(BEGIN, retrying(5), retrying(4), retrying(10), PUSHED, DONE) == DIGEST


def test_the_push_ends_after_two_retries_to_free_the_upload_slot() -> None:
    closed = []

    def events() -> Iterator[dict[str, Any]]:
        try:
            yield from [BEGIN, retrying(5), retrying(10), retrying(15)]
            pytest.fail("the stream was read on")
        finally:
            closed.append(True)

    with pytest.raises(RegistryError, match="ended so that it does not delay others") as caught:
        digest(events(), IMAGE, deadline_seconds=60)
    assert caught.value.retryable
    assert closed, "the engine ends a push whose stream is closed"


def test_a_push_ends_at_its_deadline() -> None:
    def events() -> Iterator[dict[str, Any]]:
        while True:
            time.sleep(0.01)
            yield {"status": "Pushing", "progressDetail": {"current": 1, "total": 2}, "id": "0"}

    with pytest.raises(RegistryError, match="was not done within 0 s") as caught:
        digest(events(), IMAGE, deadline_seconds=0.1)
    assert caught.value.retryable


def test_a_stream_without_a_digest_means_that_the_engine_stopped() -> None:
    with pytest.raises(RegistryError, match="ended without a digest") as caught:
        pushed_digest(BEGIN, PUSHED)
    assert caught.value.retryable
