"""The artifact store: ZIPs by their checksum, where every worker can read them.

An object is there whole or not at all, whoever is killed while writing; since its name is its
content's checksum, two writers of one object write the same.
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
"""Environment variable with the root's URL, e.g. ``abfs://wasb_default@artifacts/manifest-engine``.
"""
_BLOCK = 8 << 20
"""Bytes per request to a remote store."""
_KEPT_BLOCKS = 8
"""Blocks kept while reading: a context is read in the order of paths, not of the ZIP."""
_TALKATIVE = ("azure.core.pipeline.policies.http_logging_policy", "fsspec.caching")
"""Loggers that put every request with its headers into the task's log."""


def default_root() -> str:
    """The root in force: that of ``MANIFEST_ENGINE_STORE``, else a folder of this machine."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    return os.environ.get(ROOT_VARIABLE) or f"file://{home.absolute()}/artifacts"


class ArtifactStore:
    """Objects ``sha256/<hex>.zip`` under one root.

    :param root: URL as ``airflow.sdk.ObjectStoragePath`` takes it, the id of an Airflow Connection
        before an ``@``.
    :raises ConfigurationError: when nothing is installed for the URL's scheme.
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
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    def url(self, sha256: str) -> str:
        """Where that object is, as a person or ObjectStoragePath finds it."""
        return f"{self.root}/sha256/{sha256}.zip"

    def has(self, sha256: str, size: int) -> bool:
        """Whether the object is there with all its bytes."""
        return self.size(sha256) == size

    def size(self, sha256: str) -> int | None:
        """Its size in bytes, None when it is not there."""
        with self._telling("asked"):
            try:
                # Listings are cached per process, and other workers write.
                self._fs.invalidate_cache()
                return int(self._fs.size(self._path(sha256)))
            except FileNotFoundError:
                return None

    def put(self, blocks: Iterable[bytes], sha256: str) -> int:
        """Write the object and return its size in bytes.

        :param blocks: the content; an error while they are read leaves nothing behind.
        :raises ArtifactError: when they have another checksum, or cannot be written.
        """
        digest, size = hashlib.sha256(), 0
        with self._draft(sha256) as file:
            for block in blocks:
                digest.update(block)
                size += len(block)
                with self._telling("written"):
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
        """The object for reading, seekable; close it.

        :raises ArtifactError: when it is not there.
        """
        with self._telling("read"):
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
        """A file that becomes the object when the block ends without an error."""
        local = getattr(self._fs, "local_file", False)
        with self._renamed(sha256) if local else self._committed(sha256) as file:
            yield file

    @contextmanager
    def _renamed(self, sha256: str) -> Iterator[BinaryIO]:
        """In a folder: another name first, since a file shows every byte at once."""
        draft = f"{self._folder}/{sha256}.{uuid4().hex}.part"
        try:
            with self._telling("written"):
                self._fs.makedirs(self._folder, exist_ok=True)
                file = self._fs.open(draft, "wb")
            with file:
                yield file
            with self._telling("written"):
                self._fs.mv(draft, self._path(sha256))
        except BaseException:
            with suppress(OSError):
                self._fs.rm_file(draft)
            raise

    @contextmanager
    def _committed(self, sha256: str) -> Iterator[BinaryIO]:
        """In an object store: nothing shows before close() commits it."""
        with self._telling("written"):
            file = self._fs.open(self._path(sha256), "wb", block_size=_BLOCK)
        try:
            yield file
            size = file.tell()
            try:
                with self._telling("written"):
                    file.close()
            except ArtifactError:
                # Azure drops the blocks of all others when one writer commits.
                if not self.has(sha256, size):
                    raise
        except BaseException:
            # fsspec would commit what is there, on close() and even when it is collected.
            with suppress(Exception):
                file.discard()
            file.closed = True
            raise

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except ManifestEngineError:
            raise
        except Exception as error:
            raise ArtifactError(
                f"The artifact store {self.root} cannot be {what} ({_reason(error)}); check "
                f"its free space and permissions, {ROOT_VARIABLE}, and its Airflow Connection.",
                retryable=True,
            ) from error


def _reason(error: Exception) -> str:
    """In a word or two: the system's text, or Azure's code (adlfs wraps the error that has it)."""
    for one in (error, error.__cause__):
        if said := getattr(one, "strerror", None) or getattr(one, "error_code", None):
            return str(said)
    return type(error).__name__
