"""Reads the answers of HTTP servers in bounded memory."""

from __future__ import annotations

from typing import Any

import requests

from manifest_engine.domain.core.printable import ANSWER_MAX

REFUSAL_MAX = 64 << 10
"""Bytes of an answer that refuses: the sentence that is made of it takes a few hundred."""
_BLOCK = 64 << 10


class TooLarge(requests.RequestException):
    """An answer is larger than any legal one."""


def session() -> requests.Session:
    """A session whose answers are read up to ``ANSWER_MAX``; a longer one raises TooLarge."""
    made = requests.Session()
    made.hooks["response"].append(_read_response)
    return made


def read(answer: requests.Response, limit: int = ANSWER_MAX) -> None:
    """Read the body of an answer that was asked for with ``stream``, for ``content`` and ``json``.

    :raises TooLarge: when it has more bytes than ``limit``, unpacked.
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
    """Read the begin of the body of an answer that refuses something."""
    body = b""
    try:
        for block in answer.iter_content(_BLOCK):
            body += block
            if len(body) > REFUSAL_MAX:
                break
    except requests.RequestException:
        pass  # its status says enough
    finally:
        answer.close()
    answer._content = body[:REFUSAL_MAX]


def _read_response(answer: requests.Response, *_args: Any, **options: Any) -> None:
    if not options.get("stream"):
        read(answer)
