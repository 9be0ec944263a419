"""Calls a public URL as anybody would."""

from __future__ import annotations

import secrets
import ssl
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from manifest_engine.domain.core import printable
from manifest_engine.domain.route.public_answer import Answer

SECONDS = 10.0
BODY_MAX = 1 << 20
"""As much as the smoke test's prober reads: both look for the same text."""
_FOR_ANOTHER_HOST = frozenset({62, 64})
_EXPIRED = 10
"""OpenSSL's ``X509_V_ERR_HOSTNAME_MISMATCH``, ``…_IP_ADDRESS_MISMATCH``, ``…_CERT_HAS_EXPIRED``."""


def get(url: str) -> Answer:
    """One GET, redirects not followed, no credentials from netrc.

    Certificates are checked against what ``REQUESTS_CA_BUNDLE`` names, else certifi's.
    """
    import requests
    from urllib3.exceptions import HTTPError

    session = requests.Session()
    session.auth = _nobody
    try:
        with session.get(url, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
            body = answer.raw.read(BODY_MAX, decode_content=True).decode("utf-8", "replace")
            headers = {key.lower(): value for key, value in answer.headers.items()}
            return Answer(answer.status_code, body, headers)
    except (requests.RequestException, HTTPError) as error:  # the latter from within a body
        cause = _innermost(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Answer(None, problem=_certificate(cause), misconfigured=True)
        said = cause.args[0] if isinstance(cause, HTTPError) and cause.args else cause
        return Answer(None, problem=printable.excerpt(str(said)))
    finally:
        session.close()


def is_gateways_own(url: str, answer: Answer) -> bool:
    """Whether an answer is that of the gateway for a path that it knows no route for.

    Gateways differ in what they answer then, so this one is asked for a path that nobody has.
    """
    parts = urlsplit(url)
    nowhere = parts._replace(path=f"/{secrets.token_hex(12)}", query="")
    own = get(urlunsplit(nowhere))
    return (own.status, own.body) == (answer.status, answer.body) and (
        own.headers.keys() - _VARYING == answer.headers.keys() - _VARYING
    )


_VARYING = frozenset({"date", "content-length", "connection", "keep-alive"})


def _nobody(request: Any) -> Any:
    return request


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _FOR_ANOTHER_HOST:
        said, mend = "is for another host", "name one of its hosts in routing.url, or renew it"
    elif error.verify_code == _EXPIRED:
        said, mend = "has expired", "renew it"
    else:
        said = "is not trusted here"
        mend = "name a file with its authority in REQUESTS_CA_BUNDLE on the workers"
    return f"its certificate {said}: {error.verify_message.rstrip('.')}; {mend}"


def _innermost(error: BaseException) -> BaseException:
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if not isinstance(inner, BaseException):
            return seen
        seen = inner
