"""The fields of an Artifactory Connection: base URL, credentials and the Test button."""

import base64
import hashlib
import json

import pytest
from manifest_engine.domain.core.errors import ConfigurationError

from tests.unit.hooks.artifactory.artifactory_double import PATH
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal


def test_file_info_has_size_and_checksum(hook, server):
    info = hook.file_info(PATH)

    assert info.size == len(CONTENT)
    assert info.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert info.uri == f"{server.url}/{PATH}"


def test_a_download_is_one_request_for_the_bytes_as_they_are(hook, server):
    assert fetched(hook) == CONTENT
    assert [headers["Accept-Encoding"] for headers in server.downloads] == ["identity"]


def test_a_path_is_quoted(hook, server):
    error = refusal(lambda: hook.file_info("repo/a b;c=1/#x?.zip"))

    assert "repo/a%20b%3Bc%3D1/%23x%3F.zip does not exist (404)" in str(error)
    assert server.requests[-1][0].endswith("/repo/a%20b%3Bc%3D1/%23x%3F.zip")


def test_a_login_is_sent_by_basic_authentication(connect, server):
    words = base64.b64encode("jürgen:pässwort".encode()).decode()
    server.accepted = {f"Basic {words}"}

    assert fetched(connect(login="jürgen", password="pässwort")) == CONTENT


def test_without_credentials_those_of_netrc_are_not_sent(connect, server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.accepted = {None}

    assert fetched(connect(password=None)) == CONTENT


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "http://127.0.0.1:{port}/artifactory/"},
        {"host": "http://127.0.0.1/artifactory", "port": "{port}"},
        {"host": "127.0.0.1", "port": "{port}", "schema": "http", "path": "/artifactory"},
        {"host": "127.0.0.1:{port}/artifactory", "schema": "http"},
        {"host": "http://127.0.0.1", "port": "{port}", "schema": "artifactory"},
    ],
)
def test_the_base_url_can_be_split_over_several_fields(connect, server, fields):
    given = {key: value.format(port=server.port) for key, value in fields.items()}
    given["host"] += given.pop("path", "")
    if "port" in given:
        given["port"] = int(given["port"])

    assert connect(**given).file_info(PATH).uri == f"{server.url}/{PATH}"


def test_a_host_without_schema_means_https(connect):
    assert connect(host="example.jfrog.io/artifactory").client.errors.base == (
        "https://example.jfrog.io/artifactory"
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"host": ""}, "needs a host"),
        ({"host": "ftp://example.com"}, "needs a host"),
        ({"host": "https://me:secret@example.com/artifactory"}, "credentials in host"),
        ({"extra": '{"timeout": "soon"}'}, "no number of seconds"),
    ],
)
def test_an_incomplete_connection_is_a_configuration_error(connect, fields, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        connect(**fields)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [(None, True), ("", True), (False, False), ("False", False), ("/ca.pem", "/ca.pem")],
)
def test_verify_can_be_a_flag_or_a_path(connect, given, meant):
    assert connect(extra=json.dumps({"verify": given})).client.verify == meant


def test_the_connection_can_be_tested(hook, connect):
    assert hook.test_connection() == (True, "Artifactory answers 'OK'")
    ok, message = connect(password="wrong").test_connection()
    assert not ok
    assert "(401)" in message
