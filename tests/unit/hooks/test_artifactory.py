"""Artifactory as it is met: cut, busy, redirecting, lying; over real sockets."""

import base64
import email.utils
import hashlib
import json
import random
import socket
import ssl
import time
import traceback
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from manifest_engine.domain.errors import ArtifactError, ConfigurationError
from manifest_engine.hooks.artifactory import ArtifactoryHook

from tests.unit.hooks.artifactory_double import PATH, TOKEN, artifactory

LOCALHOST = IPv4Address("127.0.0.1")
CONTENT = random.Random(1).randbytes(400_000)


@pytest.fixture
def server():
    with artifactory(CONTENT) as double:
        yield double


@pytest.fixture
def connect(monkeypatch, server):
    """Makes a hook on a connection of these fields, which notes its waits and does not wait."""

    def make(**fields):
        given = {"conn_type": "artifactory", "host": server.url, "password": TOKEN} | fields
        monkeypatch.setenv("AIRFLOW_CONN_ARTIFACTORY_DEFAULT", json.dumps(given))
        hook = ArtifactoryHook()
        hook.waits = []
        hook.client.sleep = hook.waits.append
        return hook

    return make


@pytest.fixture
def hook(connect):
    return connect()


def fetched(hook) -> bytes:
    return b"".join(hook.download(hook.file_info(PATH)))


def refusal(act) -> ArtifactError:
    """The error; nothing that can be printed of it holds a secret."""
    with pytest.raises(ArtifactError) as caught:
        act()
    printed = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in printed
    assert "sig=" not in printed
    return caught.value


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


# Connection


def test_a_login_makes_it_basic(connect, server):
    words = base64.b64encode("jürgen:pässwort".encode()).decode()
    server.accepted = {f"Basic {words}"}

    assert fetched(connect(login="jürgen", password="pässwort")) == CONTENT


def test_without_credentials_none_are_sent_not_even_those_of_netrc(
    connect, server, monkeypatch, tmp_path
):
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
def test_the_base_url_may_be_spread_over_the_fields(connect, server, fields):
    given = {key: value.format(port=server.port) for key, value in fields.items()}
    given["host"] += given.pop("path", "")
    if "port" in given:
        given["port"] = int(given["port"])

    assert connect(**given).file_info(PATH).uri == f"{server.url}/{PATH}"


def test_a_host_alone_means_https(connect):
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
def test_verify_may_be_a_flag_or_a_path(connect, given, meant):
    assert connect(extra=json.dumps({"verify": given})).client.verify == meant


def test_the_connection_can_be_tested(hook, connect):
    assert hook.test_connection() == (True, "Artifactory answers 'OK'")
    ok, message = connect(password="wrong").test_connection()
    assert not ok
    assert "(401)" in message


# Refusals


def test_a_missing_file_is_told_with_what_to_check_and_not_tried_again(hook, server):
    error = refusal(lambda: hook.file_info("datafactory/none.zip"))

    assert f"{server.url}/datafactory/none.zip does not exist (404)" in str(error)
    assert "check component, serviceName and version" in str(error)
    assert not error.retryable
    assert len(server.requests) == 1


def test_a_base_url_without_its_path_is_suspected(connect, server):
    error = refusal(lambda: connect(host=f"http://127.0.0.1:{server.port}").file_info(PATH))

    assert "lacks the path of Artifactory, usually /artifactory" in str(error)


def test_bad_credentials_name_the_connection(connect, server):
    error = refusal(lambda: connect(password="wrong").file_info(PATH))

    assert "'artifactory_default' (401)" in str(error)
    assert "token" in str(error)
    assert not error.retryable
    assert len(server.requests) == 1


def test_a_missing_right_names_the_right_and_what_artifactory_said(hook, server):
    server.times(1, lambda h: h.refuse(403, "Download request is\nforbidden"), api=True)
    error = refusal(lambda: hook.file_info(PATH))

    assert "(403: Download request is forbidden)" in str(error)
    assert "permission Read" in str(error)
    assert not error.retryable


def test_a_sign_in_page_is_not_taken_for_an_answer(hook, server):
    server.times(1, lambda h: h.answer(200, b"<html>Sign in</html>", {}), api=True)

    with pytest.raises(ConfigurationError, match="usually ends in /artifactory"):
        hook.file_info(PATH)


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


def test_a_server_that_does_not_listen_may_come_back(connect):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = connect(host=f"http://127.0.0.1:{port}/artifactory")
    error = refusal(lambda: hook.file_info(PATH))

    assert f"Artifactory at 127.0.0.1:{port} cannot be reached (Connection refused)" in str(error)
    assert error.retryable
    assert hook.waits == [0.5, 1, 2, 4]


def test_http_where_https_was_meant_is_told_at_once(connect, server):
    hook = connect(host=f"https://127.0.0.1:{server.port}/artifactory")
    error = refusal(lambda: hook.file_info(PATH))

    assert "does not speak TLS" in str(error)
    assert not error.retryable


# TLS


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate of 127.0.0.1 and its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "artifactory")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOCALHOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return str(path)


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with artifactory(CONTENT, context) as double:
        yield double


def test_an_unknown_certificate_says_where_to_name_its_ca(connect, tls):
    hook = connect(host=tls.url)
    error = refusal(lambda: hook.file_info(PATH))

    assert "certificate that is not trusted (self-signed certificate)" in str(error)
    assert "extra 'verify'" in str(error)
    assert not error.retryable
    assert hook.waits == []


def test_the_ca_of_the_connection_counts_before_that_of_the_environment(
    connect, tls, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())

    assert fetched(connect(host=tls.url, extra=json.dumps({"verify": certificate}))) == CONTENT


def test_the_ca_of_the_environment_counts_where_the_connection_names_none(
    connect, tls, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)

    assert fetched(connect(host=tls.url)) == CONTENT


# Retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(hook, server, status):
    server.times(2, lambda h: h.refuse(status, "busy"), api=True)
    server.times(1, lambda h: h.refuse(status, "busy"))

    assert fetched(hook) == CONTENT
    assert hook.waits == [0.5, 1, 0.5]


def test_a_server_that_stays_busy_is_an_error_that_a_retry_can_mend(hook, server):
    server.times(99, lambda h: h.refuse(503, "busy"), api=True)
    error = refusal(lambda: hook.file_info(PATH))

    assert "answers 503 (Service Unavailable)" in str(error)
    assert error.retryable
    assert len(server.requests) == 5


def test_retry_after_is_obeyed_within_reason(hook, server):
    soon = email.utils.formatdate(time.time() + 20, usegmt=True)
    for text in ("7", soon, "3600"):
        server.times(1, lambda h, text=text: h.refuse(429, "", {"Retry-After": text}), api=True)
    hook.file_info(PATH)

    assert hook.waits[0] == 7
    assert 15 < hook.waits[1] <= 20
    assert hook.waits[2] == 60


# Cuts and ranges


def test_a_cut_download_goes_on_where_it_was_cut(hook, server):
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))

    assert fetched(hook) == CONTENT
    again = server.downloads[1]
    assert again["Range"] == "bytes=196608-"
    assert again["If-Range"] == f'"{hashlib.sha1(CONTENT).hexdigest()}"'


def test_a_server_that_ignores_ranges_is_listened_to_from_the_start(hook, server):
    def whole(handler):
        del handler.headers["Range"]
        handler.send_file(CONTENT)

    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, whole)

    assert fetched(hook) == CONTENT


def test_a_416_is_answered_by_a_request_for_everything(hook, server):
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.refuse(416, "Requested Range Not Satisfiable"))

    assert fetched(hook) == CONTENT
    assert "Range" not in server.downloads[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 0-203391/400000", "ETag": "same"},
        {"Content-Range": "bytes 196608-399999/500000", "ETag": "same"},
        {"Content-Range": "bytes 196608-399999/400000", "ETag": '"other"'},
        {"ETag": "same"},
    ],
    ids=["other start", "other size", "other file", "no Content-Range"],
)
def test_a_part_that_does_not_fit_is_not_taken(hook, server, headers):
    etag = f'"{hashlib.sha1(CONTENT).hexdigest()}"'
    told = {name: value.replace("same", etag) for name, value in headers.items()}
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(206, bytes(len(CONTENT) - 196_608), told))

    assert fetched(hook) == CONTENT
    assert "Range" not in server.downloads[2]


def test_without_a_strong_etag_no_part_is_asked_for(hook, server):
    def weak(handler):
        handler.answer(200, CONTENT, {"ETag": 'W/"1"'}, cut=200_000)

    server.times(1, weak)

    assert fetched(hook) == CONTENT
    assert "Range" not in server.downloads[1]


def test_a_file_that_changes_between_two_connections_is_refused(hook, server):
    other = bytes(len(CONTENT))
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    server.times(1, lambda h: h.answer(200, other, {}))
    error = refusal(lambda: fetched(hook))

    assert "its first bytes are others than before" in str(error)
    assert error.retryable


def test_a_download_that_is_cut_again_and_again_is_given_up(hook, server):
    server.times(99, lambda h: h.send_file(CONTENT, cut=1000))
    error = refusal(lambda: fetched(hook))

    assert "breaks off again and again, now after 0 of 400000 bytes" in str(error)
    assert error.retryable
    assert len(server.downloads) == 5


def test_many_cuts_are_borne_as_long_as_it_gets_further(connect):
    content = random.Random(2).randbytes(12 << 20)
    with artifactory(content) as server:
        hook = connect(host=server.url)
        server.times(99, lambda h: h.send_file(content, cut=(1 << 20) + 70_000))

        assert fetched(hook) == content
        assert len(server.downloads) > 10


# Lies


def test_bytes_that_do_not_fit_the_checksum_are_refused_at_the_end(hook, server):
    damaged = CONTENT[:-1] + b"x"
    server.times(1, lambda h: h.answer(200, damaged, {}))
    error = refusal(lambda: fetched(hook))

    assert f"its content has sha256 {hashlib.sha256(damaged).hexdigest()}" in str(error)
    assert f"file info {hashlib.sha256(CONTENT).hexdigest()}" in str(error)
    assert error.retryable


def test_a_header_that_contradicts_file_info_is_refused_before_the_first_byte(hook, server):
    info = hook.file_info(PATH)
    server.times(1, lambda h: h.answer(200, CONTENT, {"X-Checksum-Sha256": "0" * 64}))
    error = refusal(lambda: next(hook.download(info)))

    assert f"the download's header says sha256 {'0' * 64}" in str(error)


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1]])
def test_another_size_than_announced_is_refused(hook, server, content):
    server.times(1, lambda h: h.answer(200, content, {}))

    assert "another size" in str(refusal(lambda: fetched(hook)))


def test_more_bytes_than_announced_are_refused_also_without_a_length(hook, server):
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for block in (CONTENT, b"more"):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        handler.wfile.write(b"0\r\n\r\n")

    server.times(1, chunked)

    assert "more than the 400000 bytes" in str(refusal(lambda: fetched(hook)))


# Redirects


@pytest.fixture
def storage(server):
    """Blob storage at another authority: refuses credentials beside its signed URL."""

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


def test_a_redirect_does_not_bring_netrc_in(hook, storage, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert fetched(hook) == CONTENT
    assert "Authorization" not in storage.requests[0][1]


def test_a_cut_from_storage_is_resumed_through_artifactory(hook, server, storage):
    storage.faults.clear()
    storage.times(1, lambda h: h.send_file(CONTENT, cut=200_000))
    storage.times(1, lambda h: h.send_file(CONTENT))

    assert fetched(hook) == CONTENT
    assert len(server.downloads) == 2
    assert storage.requests[1][1]["Range"] == "bytes=196608-"


def test_within_one_authority_credentials_go_along(hook, server):
    server.times(1, lambda h: h.answer(302, b"", {"Location": h.path + "?again"}))

    assert fetched(hook) == CONTENT


def test_storage_that_refuses_is_named_without_the_signature(hook, storage):
    storage.link = storage.link.replace("geheim", "abgelaufen")
    error = refusal(lambda: fetched(hook))

    assert f"The storage at localhost:{storage.port}" in str(error)
    assert "(403)" in str(error)
    assert error.retryable


def test_storage_that_cannot_be_reached_is_named_without_the_signature(hook, storage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    storage.link = f"http://127.0.0.1:{port}/blob?sig=geheim"
    error = refusal(lambda: fetched(hook))

    assert f"The storage at 127.0.0.1:{port}" in str(error)
    assert error.retryable


def test_a_redirect_that_never_ends_is_told(hook, server):
    server.times(99, lambda h: h.answer(302, b"", {"Location": h.path}))
    error = refusal(lambda: fetched(hook))

    assert "TooManyRedirects" in str(error)
    assert not error.retryable
