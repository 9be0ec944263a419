"""Requests to a busy Artifactory are retried, and broken downloads are resumed."""

import email.utils
import hashlib
import random
import time

import pytest

from tests.unit.hooks.artifactory.artifactory_double import PATH, artifactory
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_request_to_a_busy_server_is_retried(hook, server, status):
    server.times(2, lambda h: h.refuse(status, "busy"), api=True)
    server.times(1, lambda h: h.refuse(status, "busy"))

    assert fetched(hook) == CONTENT
    assert hook.waits == [0.5, 1, 0.5]


def test_a_server_that_stays_busy_is_a_retryable_error(hook, server):
    server.times(99, lambda h: h.refuse(503, "busy"), api=True)
    error = refusal(lambda: hook.file_info(PATH))

    assert "answers 503 (Service Unavailable)" in str(error)
    assert error.retryable
    assert len(server.requests) == 5


def test_retry_after_is_obeyed_up_to_a_limit(hook, server):
    soon = email.utils.formatdate(time.time() + 20, usegmt=True)
    for text in ("7", soon, "3600"):
        server.times(1, lambda h, text=text: h.refuse(429, "", {"Retry-After": text}), api=True)
    hook.file_info(PATH)

    assert hook.waits[0] == 7
    assert 15 < hook.waits[1] <= 20
    assert hook.waits[2] == 60


def test_a_broken_download_is_resumed(hook, server):
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))

    assert fetched(hook) == CONTENT
    again = server.downloads[1]
    assert again["Range"] == "bytes=196608-"
    assert "If-Range" not in again


def test_a_server_that_ignores_ranges_sends_the_file_again(hook, server):
    def whole(handler):
        del handler.headers["Range"]
        handler.send_file(CONTENT)

    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, whole)

    assert fetched(hook) == CONTENT


def test_after_416_the_whole_file_is_requested(hook, server):
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.refuse(416, "Requested Range Not Satisfiable"))

    assert fetched(hook) == CONTENT
    assert "Range" not in server.downloads[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 0-203391/400000", "ETag": "same"},
        {"Content-Range": "bytes 196608-399999/500000", "ETag": "same"},
        {"Content-Range": "bytes 196608-399999/400000", "ETag": "other"},
        {"ETag": "same"},
    ],
    ids=["other start", "other size", "other file", "no Content-Range"],
)
def test_a_range_that_does_not_fit_is_discarded(hook, server, headers):
    etag = hashlib.sha1(CONTENT).hexdigest()
    answer_headers = {name: value.replace("same", etag) for name, value in headers.items()}
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(206, bytes(len(CONTENT) - 196_608), answer_headers))

    assert fetched(hook) == CONTENT
    assert "Range" not in server.downloads[2]


@pytest.mark.parametrize("etag", [None, '"{}"', 'W/"{}"'], ids=["none", "quoted", "weak"])
def test_a_proxy_can_remove_or_quote_the_etag(hook, server, etag):
    sha1 = hashlib.sha1(CONTENT).hexdigest()
    answer_headers = {"Content-Range": "bytes 196608-399999/400000"}
    answer_headers |= {"ETag": etag.format(sha1)} if etag else {}
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(206, CONTENT[196_608:], answer_headers))

    assert fetched(hook) == CONTENT
    assert len(server.downloads) == 2


def test_a_range_with_other_content_fails_the_checksum(hook, server):
    answer_headers = {"Content-Range": "bytes 196608-399999/400000"}
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(206, bytes(len(CONTENT) - 196_608), answer_headers))
    error = refusal(lambda: fetched(hook))

    assert "its content has sha256" in str(error)
    assert error.retryable


def test_a_rate_limit_is_explained(hook, server):
    server.times(99, lambda h: h.refuse(429, "Too many requests"), api=True)
    error = refusal(lambda: hook.file_info(PATH))

    assert "limits the rate of requests (429)" in str(error)
    assert error.retryable


def test_a_file_that_changes_between_two_connections_is_refused(hook, server):
    other = bytes(len(CONTENT))
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(200, other, {}))
    error = refusal(lambda: fetched(hook))

    assert "its first bytes are others than before" in str(error)
    assert error.retryable


def test_a_download_that_keeps_breaking_is_given_up(hook, server):
    server.times(99, lambda h: h.send_file(CONTENT, cut=1000))
    error = refusal(lambda: fetched(hook))

    assert "breaks off again and again, now after 0 of 400000 bytes" in str(error)
    assert error.retryable
    assert len(server.downloads) == 5


def test_a_download_is_resumed_while_it_makes_progress(connect):
    content = random.Random(2).randbytes(12 << 20)
    with artifactory(content) as server:
        hook = connect(host=server.url)
        server.times(99, lambda h: h.send_file(content, cut=(1 << 20) + 70_000))

        assert fetched(hook) == content
        assert len(server.downloads) > 10
