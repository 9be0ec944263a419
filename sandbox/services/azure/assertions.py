"""Client assertions: an application authenticates by its certificate or by another issuer's token.

The second is workload identity: a token of a Kubernetes ServiceAccount whose issuer and subject the
application trusts ("federated credential").
"""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

_LONGEST_SECONDS = 24 * 3600


class AssertionRefusedError(Exception):
    """An assertion is refused, with this AADSTS number."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def check(assertion: str, client: Mapping[str, Any], endpoint: str) -> None:
    """Check an assertion for this client and endpoint. Raises AssertionRefusedError."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise AssertionRefusedError(50027, "JWT token is invalid or malformed") from error
    if claims.get("iss") == client["client_id"]:
        _check_certificate(assertion, header, client, endpoint)
    else:
        _check_federated(assertion, claims, client)


def _check_certificate(
    assertion: str, header: Mapping[str, Any], client: Mapping[str, Any], endpoint: str
) -> None:
    certificate = x509.load_pem_x509_certificate(client["certificate"].encode())
    prints = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}
    named = {name: header[name] for name in prints if name in header}
    if not named:
        raise AssertionRefusedError(700027, "The assertion's header names no certificate")
    for name, thumbprint in named.items():
        if thumbprint.rstrip("=") != _base64(certificate.fingerprint(prints[name])):
            message = f"The certificate with identifier {thumbprint} is not registered"
            raise AssertionRefusedError(700027, message)
    if certificate.not_valid_after_utc.timestamp() < time.time():
        raise AssertionRefusedError(700027, "The certificate has expired")
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    claims = _verified(assertion, key, ["RS256", "PS256"], endpoint)
    if claims.get("sub") != client["client_id"]:
        raise AssertionRefusedError(700021, "Client assertion's subject is not the application id")
    if claims["exp"] - time.time() > _LONGEST_SECONDS:
        raise AssertionRefusedError(700024, "Client assertion lives too long")


def _check_federated(assertion: str, claims: Mapping[str, Any], client: Mapping[str, Any]) -> None:
    of_issuer = [known for known in client["federated"] if known["issuer"] == claims.get("iss")]
    if not of_issuer:
        message = f"No matching federated identity record for issuer '{claims.get('iss')}'"
        raise AssertionRefusedError(700211, message)
    matching = [known for known in of_issuer if known["subject"] == claims.get("sub")]
    if not matching:
        message = f"No matching federated identity record for subject '{claims.get('sub')}'"
        raise AssertionRefusedError(700213, message)
    key = _key_of_issuer(assertion, matching[0])
    _verified(assertion, key, ["RS256", "ES256"], matching[0]["audience"])


def _key_of_issuer(assertion: str, credential: Mapping[str, Any]) -> jwt.PyJWK | bytes:
    """The issuer's key, by OpenID Connect Discovery 1.0 or from ``public_key_file``.

    The issuer of the sandbox's cluster is a name that only resolves inside the cluster, so the
    credential has the address (``openid``) and the certificate authority (``ca``) of the issuer.
    """
    if "openid" not in credential:
        return Path(credential["public_key_file"]).read_bytes()
    where, ca = f"{credential['openid']}/.well-known/openid-configuration", credential["ca"]
    try:
        answer = requests.get(where, verify=ca, timeout=5)
        answer.raise_for_status()
        document = answer.json()
        if document["issuer"] != credential["issuer"]:
            raise jwt.PyJWKClientError(f"it is {document['issuer']}")
        trusted = ssl.create_default_context(cafile=ca)
        keys = jwt.PyJWKClient(document["jwks_uri"], ssl_context=trusted, timeout=5)
        return keys.get_signing_key_from_jwt(assertion)
    except (requests.RequestException, KeyError, ValueError, jwt.PyJWTError) as error:
        message = f"The keys of issuer '{credential['issuer']}' cannot be read: {error}"
        raise AssertionRefusedError(50166, message) from error


def _verified(
    assertion: str, key: rsa.RSAPublicKey | jwt.PyJWK | bytes, algorithms: list[str], audience: str
) -> dict[str, Any]:
    try:
        return dict(
            jwt.decode(
                assertion,
                key,
                algorithms=algorithms,
                audience=audience,
                options={"require": ["exp", "aud", "iss", "sub"]},
            )
        )
    except jwt.InvalidAudienceError as error:
        message = f"Assertion audience does not match: {audience} is expected"
        raise AssertionRefusedError(700212, message) from error
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        message = "Client assertion is not within its valid time range"
        raise AssertionRefusedError(700024, message) from error
    except jwt.InvalidTokenError as error:
        message = f"Client assertion failed signature validation: {error}"
        raise AssertionRefusedError(700027, message) from error


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
