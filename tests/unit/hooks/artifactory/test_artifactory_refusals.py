"""The error for each refusal of Artifactory says what to check."""

import socket

import pytest
from manifest_engine.domain.core.errors import ConfigurationError

from tests.unit.hooks.artifactory.artifactory_double import PATH, artifactory
from tests.unit.hooks.artifactory.reading import refusal


def test_the_error_for_a_missing_file_says_what_to_check_and_is_not_retried(hook, server):
    error = refusal(lambda: hook.file_info("datafactory/none.zip"))

    assert f"{server.url}/datafactory/none.zip does not exist (404)" in str(error)
    assert "check component, serviceName and version" in str(error)
    assert not error.retryable
    assert [path for path, _ in server.requests] == [
        "/artifactory/api/storage/datafactory/none.zip",
        "/artifactory/datafactory/none.zip",
    ]


def test_a_404_under_a_bare_host_suggests_the_path_of_artifactory(connect, server):
    error = refusal(lambda: connect(host=f"http://127.0.0.1:{server.port}").file_info(PATH))

    assert "lacks the path of Artifactory, usually /artifactory" in str(error)


def test_bad_credentials_name_the_connection(connect, server):
    error = refusal(lambda: connect(password="wrong").file_info(PATH))

    assert "'artifactory_default' (401)" in str(error)
    assert "token" in str(error)
    assert not error.retryable
    assert len(server.requests) == 1


def test_a_403_names_the_permission_and_quotes_artifactory(hook, server):
    server.times(1, lambda h: h.refuse(403, "Download request is\nforbidden"), api=True)
    error = refusal(lambda: hook.file_info(PATH))

    assert "(403: Download request is forbidden)" in str(error)
    assert "permission Read" in str(error)
    assert not error.retryable


def test_a_sign_in_page_is_a_configuration_error(hook, server):
    server.times(1, lambda h: h.answer(200, b"<html>Sign in</html>", {}), api=True)

    with pytest.raises(ConfigurationError, match="usually ends in /artifactory"):
        hook.file_info(PATH)


def test_a_page_to_which_a_sleeping_server_redirects_is_named(hook, server):
    """As in https://github.com/apache/arrow/issues/40746 (2024-03-22)."""
    with artifactory(b"") as landing:
        landing.times(9, lambda h: h.answer(200, b"<html>Reactivate</html>", {}))
        there = f"http://localhost:{landing.port}/reactivate-server/apache"
        server.times(1, lambda h: h.answer(302, b"", {"Location": there}), api=True)

        with pytest.raises(ConfigurationError, match=f"redirects to localhost:{landing.port}"):
            hook.file_info(PATH)
    assert "Authorization" not in landing.requests[0][1]


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"children": []}, "is a folder"),
        ({"size": "3"}, "has no size and checksums"),
        ([], "has no size and checksums"),
        ({"size": "3", "checksums": {"md5": "x"}}, "has no sha256"),
    ],
)
def test_file_info_without_size_and_checksum_is_refused(hook, server, info, why):
    server.info = info

    assert why in str(refusal(lambda: hook.file_info(PATH)))


def test_a_refused_connection_is_retryable(connect):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = connect(host=f"http://127.0.0.1:{port}/artifactory")
    error = refusal(lambda: hook.file_info(PATH))

    assert f"Artifactory at 127.0.0.1:{port} cannot be reached (Connection refused)" in str(error)
    assert error.retryable
    assert hook.waits == [0.5, 1, 2, 4]


def test_a_server_without_tls_is_reported_at_once(connect, server):
    hook = connect(host=f"https://127.0.0.1:{server.port}/artifactory")
    error = refusal(lambda: hook.file_info(PATH))

    assert "does not speak TLS" in str(error)
    assert not error.retryable
