"""The sandbox's certificate authority, and the certificates of its parts."""

from __future__ import annotations

import datetime as dt
import ipaddress
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.core.settings import SETTINGS

_LIFETIME = dt.timedelta(days=30)
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Pair:
    """Paths of a certificate and its private key, both PEM."""

    certificate: Path
    key: Path


def authority() -> Pair:
    """The sandbox's CA. The first call makes the CA and the bundle with the machine's CAs."""
    pair = Pair(SETTINGS.ca, SETTINGS.ca.with_suffix(".key"))
    with _LOCK:
        if not pair.certificate.exists():
            pair.certificate.parent.mkdir(parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Manifest Engine sandbox")])
            builder = (
                _begin(name, name, key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(_usage(ca=True), critical=True)
                .add_extension(
                    x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
                )
            )
            _write(pair, builder.sign(key, hashes.SHA256()), key)
            machine = Path("/etc/ssl/certs/ca-certificates.crt")
            known = machine if machine.exists() else Path(certifi.where())
            SETTINGS.ca_bundle.write_bytes(
                known.read_bytes() + b"\n" + pair.certificate.read_bytes()
            )
    return pair


def issue(
    name: str,
    *,
    common_name: str,
    organization: str | None = None,
    addresses: Sequence[str] = (),
) -> Pair:
    """A certificate for servers and clients, signed by the CA. An existing certificate is reused.

    ``addresses`` are IP addresses and DNS names for the subject alternative name.
    """
    pair = Pair(SETTINGS.ca.parent / f"{name}.crt", SETTINGS.ca.parent / f"{name}.key")
    if pair.certificate.exists():
        return pair
    ca = authority()
    ca_certificate = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    ca_key = serialization.load_pem_private_key(ca.key.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    words = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        words.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = (
        _begin(x509.Name(words), ca_certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    if addresses:
        names = x509.SubjectAlternativeName([_general_name(text) for text in addresses])
        builder = builder.add_extension(names, critical=False)
    _write(pair, builder.sign(ca_key, hashes.SHA256()), key)
    return pair


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _begin(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
