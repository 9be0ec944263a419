"""A download that is redirected to blob storage."""

import socket

import pytest

from tests.unit.hooks.artifactory.artifactory_double import artifactory
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal


@pytest.fixture
def storage(server):
    """Blob storage at another host, which refuses credentials in addition to its signed URL."""

    def serve(handler):
        if "Authorization" in handler.headers:
            handler.refuse(400, "InvalidAuthenticationInfo")
        elif not handler.path.endswith("?sig=geheim"):
            handler.refuse(403, "AuthenticationFailed")
        else:
            handler.send_file(CONTENT)

    with artifactory(CONTENT) as blobs:
        blobs.times(99, serve)
        blobs.link = f"http://localhost:{blobs.port}/blob?sig=geheim"
        server.times(99, lambda h: h.answer(302, b"", {"Location": blobs.link}))
        yield blobs


def test_a_redirect_to_storage_is_followed_without_credentials(hook, storage):
    assert fetched(hook) == CONTENT
    assert "Authorization" not in storage.requests[0][1]


def test_a_redirect_does_not_use_netrc(hook, storage, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert fetched(hook) == CONTENT
    assert "Authorization" not in storage.requests[0][1]


def test_a_broken_download_from_storage_is_resumed_through_artifactory(hook, server, storage):
    storage.faults.clear()
    storage.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    storage.times(1, lambda h: h.send_file(CONTENT))

    assert fetched(hook) == CONTENT
    assert len(server.downloads) == 2
    assert storage.requests[1][1]["Range"] == "bytes=196608-"


def test_a_redirect_to_the_same_host_keeps_the_credentials(hook, server):
    server.times(1, lambda h: h.answer(302, b"", {"Location": h.path + "?again"}))

    assert fetched(hook) == CONTENT


def test_a_refusal_of_storage_is_reported_without_the_signature(hook, storage):
    storage.link = storage.link.replace("geheim", "abgelaufen")
    error = refusal(lambda: fetched(hook))

    assert f"The storage at localhost:{storage.port}" in str(error)
    assert "(403)" in str(error)
    assert error.retryable


def test_unreachable_storage_is_reported_without_the_signature(hook, storage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    storage.link = f"http://127.0.0.1:{port}/blob?sig=geheim"
    error = refusal(lambda: fetched(hook))

    assert f"The storage at 127.0.0.1:{port}" in str(error)
    assert error.retryable


def test_an_endless_redirect_is_an_error(hook, server):
    server.times(99, lambda h: h.answer(302, b"", {"Location": h.path}))
    error = refusal(lambda: fetched(hook))

    assert "TooManyRedirects" in str(error)
    assert not error.retryable
