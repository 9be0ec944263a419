"""The artifact store: ZIPs named by their checksum, readable by every worker.

An object appears only when it is complete, even if a writer is killed. Two writers of the same
object write the same bytes, since the name is the checksum of the content.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from manifest_engine.domain.core.errors import (
    ArtifactError,
    ConfigurationError,
    ManifestEngineError,
)

ROOT_VARIABLE = "MANIFEST_ENGINE_STORE"
"""Environment variable with the URL of the store, such as
``abfs://wasb_default@artifacts/manifest-engine``."""
_BLOCK = 8 << 20
"""Bytes per request to a remote store."""
_KEPT_BLOCKS = 8
"""Blocks cached while reading: the build context reads files by path, not in ZIP order."""
_VERBOSE_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "fsspec.caching")
"""Loggers that write every request with its headers to the task's log."""


def default_root() -> str:
    """The URL in ``MANIFEST_ENGINE_STORE``, or else a folder of this machine."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    return os.environ.get(ROOT_VARIABLE) or f"file://{home.absolute()}/artifacts"


class ArtifactStore:
    """Objects ``sha256/<hex>.zip`` under one root.

    :param root: URL for ``airflow.sdk.ObjectStoragePath``, with the id of an Airflow Connection
        before an ``@``.
    :raises ConfigurationError: when no provider for the URL's scheme is installed.
    """

    def __init__(self, root: str | None = None) -> None:
        from airflow.sdk import ObjectStoragePath

        self.root = (root or default_root()).rstrip("/")
        try:
            folder = ObjectStoragePath(self.root) / "sha256"
            self._fs: Any = folder.fs
        except Exception as error:
            raise ConfigurationError(
                f"The artifact store {self.root} cannot be opened ({error}); check "
                f"{ROOT_VARIABLE}, the provider for its scheme, and its Airflow Connection."
            ) from error
        self._folder: str = folder.path
        for name in _VERBOSE_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)

    def url(self, sha256: str) -> str:
        """URL of the object, for errors and for ObjectStoragePath."""
        return f"{self.root}/sha256/{sha256}.zip"

    def has(self, sha256: str, size: int) -> bool:
        """Whether the store has the object in full size."""
        return self.size(sha256) == size

    def size(self, sha256: str) -> int | None:
        """Size of the object in bytes, None if the store does not have it."""
        with self._explained("asked"):
            try:
                # fsspec caches listings, but other workers write to the store as well.
                self._fs.invalidate_cache()
                return int(self._fs.size(self._path(sha256)))
            except FileNotFoundError:
                return None

    def put(self, blocks: Iterable[bytes], sha256: str) -> int:
        """Write the object and return its size in bytes.

        :param blocks: the content. An error while reading them leaves no object behind.
        :raises ArtifactError: when the content has another checksum, or cannot be written.
        """
        digest, size = hashlib.sha256(), 0
        with self._draft(sha256) as file:
            for block in blocks:
                digest.update(block)
                size += len(block)
                with self._explained("written"):
                    file.write(block)
            if digest.hexdigest() != sha256:
                raise ArtifactError(
                    f"The bytes to be stored as {self.url(sha256)} have the sha256 "
                    f"{digest.hexdigest()}; they were changed on the way.",
                    retryable=True,
                )
        if not self.has(sha256, size):
            raise ArtifactError(
                f"{self.url(sha256)} does not have the {size} bytes that were written; look at the "
                "artifact store's free space and its log.",
                retryable=True,
            )
        return size

    def open(self, sha256: str) -> BinaryIO:
        """Open the object for reading; the file is seekable, and the caller closes it.

        :raises ArtifactError: when the store does not have the object.
        """
        with self._explained("read"):
            try:
                file: BinaryIO = self._fs.open(
                    self._path(sha256),
                    "rb",
                    block_size=_BLOCK,
                    cache_type="blockcache",
                    cache_options={"maxblocks": _KEPT_BLOCKS},
                )
                return file
            except FileNotFoundError as error:
                raise ArtifactError(
                    f"{self.url(sha256)} is not there; clear download_artifact to fetch it again. "
                    f"If that does not help, workers have different stores: let {ROOT_VARIABLE} "
                    "name one that all of them share."
                ) from error

    def _path(self, sha256: str) -> str:
        return f"{self._folder}/{sha256}.zip"

    @contextmanager
    def _draft(self, sha256: str) -> Iterator[BinaryIO]:
        """A new file that becomes the object when the block ends without an error."""
        local = getattr(self._fs, "local_file", False)
        with self._renamed(sha256) if local else self._committed(sha256) as file:
            yield file

    @contextmanager
    def _renamed(self, sha256: str) -> Iterator[BinaryIO]:
        """For a folder: write under another name and rename, so no reader sees half a file."""
        draft = f"{self._folder}/{sha256}.{uuid4().hex}.part"
        try:
            with self._explained("written"):
                self._fs.makedirs(self._folder, exist_ok=True)
                file = self._fs.open(draft, "wb")
            with file:
                yield file
            with self._explained("written"):
                self._fs.mv(draft, self._path(sha256))
        except BaseException:
            with suppress(OSError):
                self._fs.rm_file(draft)
            raise

    @contextmanager
    def _committed(self, sha256: str) -> Iterator[BinaryIO]:
        """For an object store: the object appears when close() commits it."""
        with self._explained("written"):
            file = self._fs.open(self._path(sha256), "wb", block_size=_BLOCK)
        try:
            yield file
            size = file.tell()
            try:
                with self._explained("written"):
                    file.close()
            except ArtifactError:
                # Azure drops the blocks of other writers when the first writer commits.
                if not self.has(sha256, size):
                    raise
        except BaseException:
            # fsspec would commit the partial file on close() and on garbage collection.
            with suppress(Exception):
                file.discard()
            file.closed = True
            raise

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except ManifestEngineError:
            raise
        except Exception as error:
            raise ArtifactError(
                f"The artifact store {self.root} cannot be {action} ({_reason(error)}); check "
                f"its free space and permissions, {ROOT_VARIABLE}, and its Airflow Connection.",
                retryable=True,
            ) from error


def _reason(error: Exception) -> str:
    """The system's message or Azure's error code; adlfs wraps the error that has the code."""
    for candidate in (error, error.__cause__):
        reason = getattr(candidate, "strerror", None) or getattr(candidate, "error_code", None)
        if reason:
            return str(reason)
    return type(error).__name__
