"""Request a public URL as a user of the service would."""

from __future__ import annotations

import secrets
import ssl
from urllib.parse import urlsplit, urlunsplit

from manifest_engine.domain.core import printable
from manifest_engine.domain.route.public_answer import Answer

SECONDS = 10.0
BODY_MAX = 1 << 20
"""The limit of ``hooks.kubernetes.pod_proxy``, since both search for the same text."""
_FOR_ANOTHER_HOST = frozenset({62, 64})
_EXPIRED = 10
"""OpenSSL's ``X509_V_ERR_HOSTNAME_MISMATCH``, ``…_IP_ADDRESS_MISMATCH``, ``…_CERT_HAS_EXPIRED``."""


def get(url: str, seconds: float | None = None) -> Answer:
    """Send one GET without following redirects and without credentials from netrc.

    Certificates are verified by the authorities in ``REQUESTS_CA_BUNDLE``, or those of certifi.

    :param seconds: longest pause of the server; ``SECONDS`` by default.
    """
    import requests
    from urllib3.exceptions import HTTPError

    from manifest_engine.hooks.core import http_answers

    session = requests.Session()
    session.auth = http_answers.Anonymous()
    try:
        with session.get(
            url, timeout=seconds or SECONDS, allow_redirects=False, stream=True
        ) as answer:
            body = answer.raw.read(BODY_MAX, decode_content=True).decode("utf-8", "replace")
            headers = {key.lower(): value for key, value in answer.headers.items()}
            return Answer(answer.status_code, body, headers)
    except (requests.RequestException, HTTPError) as error:  # HTTPError while reading the body
        cause = _innermost(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Answer(None, problem=_certificate(cause), misconfigured=True)
        problem = cause.args[0] if isinstance(cause, HTTPError) and cause.args else cause
        return Answer(None, problem=printable.excerpt(str(problem)))
    finally:
        session.close()


def is_gateway_default(url: str, answer: Answer) -> bool:
    """Whether the answer is the gateway's default answer for a path without a route.

    Gateways differ in that answer, so compare it with the answer for a random path.
    """
    parts = urlsplit(url)
    unknown = parts._replace(path=f"/{secrets.token_hex(12)}", query="")
    default = get(urlunsplit(unknown))
    return (default.status, default.body) == (answer.status, answer.body) and (
        default.headers.keys() - _VARYING == answer.headers.keys() - _VARYING
    )


_VARYING = frozenset({"date", "content-length", "connection", "keep-alive"})


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _FOR_ANOTHER_HOST:
        problem, remedy = "is for another host", "name one of its hosts in routing.url, or renew it"
    elif error.verify_code == _EXPIRED:
        problem, remedy = "has expired", "renew it"
    else:
        problem = "is not trusted here"
        remedy = "name a file with its authority in REQUESTS_CA_BUNDLE on the workers"
    return f"its certificate {problem}: {error.verify_message.rstrip('.')}; {remedy}"


def _innermost(error: BaseException) -> BaseException:
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if not isinstance(inner, BaseException):
            return seen
        seen = inner
