"""Download a file, resume after a broken connection, and verify the checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import requests

from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.hooks.artifactory.errors import os_error
from manifest_engine.hooks.artifactory.http import ATTEMPTS, Client

_BLOCK = 1 << 16
"""A broken connection loses the current block, so blocks are small."""
_PROGRESS = 1 << 20
"""Bytes after which the count of consecutive broken connections starts again."""
_CONTENT_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+|\*)$")


class Download:
    """An iterator over the blocks of the file; the file is verified after the last block.

    :param size: bytes, from file info.
    :param sha256: checksum, from file info.
    """

    def __init__(self, client: Client, url: str, size: int, sha256: str) -> None:
        self._client, self._url, self._size = client, url, size
        self._sha256 = sha256
        self._done = 0
        self._digest = hashlib.sha256()
        self._etag: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        cuts = 0
        while True:
            before = self._done
            try:
                yield from self._connection()
            except requests.RequestException as error:
                reason, cause = type(error).__name__, os_error(error)
            else:
                if self._done == self._size:
                    break
                reason, cause = "the connection was closed", None
            cuts = 1 if self._done - before >= _PROGRESS else cuts + 1
            if cuts >= ATTEMPTS:
                raise ArtifactError(
                    f"The download of {self._url} breaks off again and again, now after "
                    f"{self._done} of {self._size} bytes ({reason}); look for a proxy or a time "
                    "limit on the way.",
                    retryable=True,
                ) from cause
            self._client.log.warning(
                "The download was cut after %d of %d bytes (%s); going on from there.",
                self._done,
                self._size,
                reason,
            )
            self._client.sleep(0.1 * 2**cuts)
        self._require("its content has", self._digest.hexdigest())

    def _connection(self) -> Iterator[bytes]:
        """Yield the missing bytes that one connection delivers."""
        response, start = self._open()
        with response:
            for answer in (*response.history, response):
                if header := answer.headers.get("X-Checksum-Sha256"):
                    self._require("the download's header says", header.lower())
            blocks = response.iter_content(_BLOCK)
            for block in blocks if start else self._after_known(blocks):
                self._done += len(block)
                if self._done > self._size:
                    raise self._changed(f"it has more than the {self._size} bytes of file info")
                self._digest.update(block)
                yield block

    def _open(self) -> tuple[requests.Response, int]:
        """Return an answer, and the offset of its first byte in the file: the current one, or 0.

        The request has no If-Range, which requires a quoted ETag (RFC 9110, 13.1.5): Artifactory
        sends an unquoted SHA-1. JFrog's own client also sends Range alone (jfrog-client-go 00b8ea7,
        http/httpclient/client.go). Instead, the headers of the answer are compared with the first
        answer, and at the end the checksum of the file.
        """
        if self._done:
            response = self._client.get(self._url, {"Range": f"bytes={self._done}-"})
            if response.status_code == 206 and self._fits(response):
                return response, self._done
            if response.status_code == 200:
                # Some versions announce ranges and send the whole file
                # (https://github.com/prefix-dev/async_http_range_reader/pull/5, 7.78.3).
                return self._whole(response), 0
            response.close()
        return self._whole(self._client.get(self._url)), 0

    def _whole(self, response: requests.Response) -> requests.Response:
        if response.status_code != 200:
            response.close()
            raise ArtifactError(
                f"{self._url} answers {response.status_code} to a request for the whole file; "
                "look for a proxy that asks for parts by itself.",
                retryable=True,
            )
        if response.headers.get("Content-Length", str(self._size)) != str(self._size):
            response.close()
            raise self._changed("the download has another size than file info says")
        self._etag = _etag(response)
        return response

    def _fits(self, response: requests.Response) -> bool:
        found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        return (
            found is not None
            and int(found[1]) == self._done
            and found[3] in ("*", str(self._size))
            and _etag(response) in (None, self._etag)
        )

    def _after_known(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Compare the first bytes with those already yielded, and yield the bytes after them."""
        known, again = self._done, hashlib.sha256()
        for block in blocks:
            head, rest = block[:known], block[known:]
            if known:
                again.update(head)
                known -= len(head)
                if not known and again.digest() != self._digest.digest():
                    raise self._changed("its first bytes are others than before")
            if rest:
                yield rest

    def _require(self, where: str, sha256: str) -> None:
        if sha256 != self._sha256:
            raise self._changed(f"{where} sha256 {sha256}, file info {self._sha256}")

    def _changed(self, why: str) -> ArtifactError:
        return ArtifactError(
            f"{self._url} is not what was announced: {why}. It was replaced meanwhile, or "
            "damaged in Artifactory's storage or on the way.",
            retryable=True,
        )


def _etag(response: requests.Response) -> str | None:
    """The ETag without the quotes and ``W/`` that a proxy can add to Artifactory's SHA-1."""
    return response.headers.get("ETag", "").removeprefix("W/").strip('"') or None
