"""Which certificate authorities are trusted."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.hooks.artifactory.artifactory_double import PATH, artifactory
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal

LOCALHOST = IPv4Address("127.0.0.1")


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


def test_the_error_for_an_untrusted_certificate_says_where_to_name_its_ca(connect, tls):
    hook = connect(host=tls.url)
    error = refusal(lambda: hook.file_info(PATH))

    assert "certificate that is not trusted (self-signed certificate)" in str(error)
    assert "extra 'verify'" in str(error)
    assert not error.retryable
    assert hook.waits == []


def test_the_ca_of_the_connection_overrides_that_of_the_environment(
    connect, tls, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())

    assert fetched(connect(host=tls.url, extra=json.dumps({"verify": certificate}))) == CONTENT


def test_the_ca_of_the_environment_is_used_if_the_connection_has_none(
    connect, tls, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)

    assert fetched(connect(host=tls.url)) == CONTENT
