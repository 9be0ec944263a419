"""Read the answers of HTTP servers in bounded memory."""

from __future__ import annotations

from typing import Any

import requests
from requests.auth import AuthBase

from manifest_engine.domain.core.printable import ANSWER_MAX

REFUSAL_MAX = 64 << 10
"""Bytes read of an error answer; our error sentence quotes a few hundred."""
_BLOCK = 64 << 10


class TooLarge(requests.RequestException):
    """An answer is larger than any valid answer."""


class Anonymous(AuthBase):
    """Sends no credentials, while ``requests`` without an ``auth`` would use ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Session(requests.Session):
    """Sends no credentials, ours or those of netrc, to the target of a redirect to another host.

    Registries and Artifactory redirect to storage with signed URLs. ``trust_env`` stays on, for
    proxies and CA bundles of the environment.
    """

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        old, new = str(response.request.url), str(prepared_request.url)
        if self.should_strip_auth(old, new):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


def session() -> requests.Session:
    """A session that raises TooLarge for an answer of more than ``ANSWER_MAX`` bytes."""
    session = Session()
    session.hooks["response"].append(_read_response)
    return session


def read(answer: requests.Response, limit: int = ANSWER_MAX) -> None:
    """Read the body of an answer to a request with ``stream``, for ``content`` and ``json``.

    :raises TooLarge: when the decompressed body has more bytes than ``limit``.
    """
    body = bytearray()
    for block in answer.iter_content(_BLOCK):
        body += block
        if len(body) > limit:
            answer.close()
            raise TooLarge(
                f"{answer.url.partition('?')[0]} answers more than {limit >> 20} MiB",
                response=answer,
            )
    answer._content = bytes(body)


def read_refusal(answer: requests.Response) -> None:
    """Read the beginning of the body of an error answer."""
    body = b""
    try:
        for block in answer.iter_content(_BLOCK):
            body += block
            if len(body) > REFUSAL_MAX:
                break
    except requests.RequestException:
        pass  # the status is enough
    finally:
        answer.close()
    answer._content = body[:REFUSAL_MAX]


def _read_response(answer: requests.Response, *_args: Any, **options: Any) -> None:
    if not options.get("stream"):
        read(answer)
