"""Keeps the kubeconfig of an AKS cluster for an hour, for all processes of this machine.

Azure Resource Manager limits requests for each identity, and each step of a run is a process of its
own. Only a kubeconfig of Entra ID is kept: it names the API server and its authority, and holds no
secret. Another user must not write the file, since our tokens go to the server that it names.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

SECONDS = 3600.0


class KubeconfigFile:
    """The kept kubeconfig of one cluster, read as one identity.

    :param parts: the inputs of the request to Azure, which identify the answer.
    """

    def __init__(self, parts: Iterable[object]) -> None:
        name = hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()
        self._path = _folder() / f"{name}.yaml"

    def read(self) -> bytes | None:
        """The text, None if there is none that is new enough."""
        with suppress(OSError):
            age = time.time() - self._path.stat().st_mtime
            if _is_private(self._path.parent) and 0 <= age < SECONDS:
                return self._path.read_bytes()
        return None

    def write(self, text: bytes) -> None:
        """Keep the text. Without a private folder nothing is kept."""
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            if not _is_private(self._path.parent):
                return
            draft = self._path.with_suffix(f".{os.getpid()}")
            draft.write_bytes(text)
            draft.replace(self._path)

    def forget(self) -> None:
        """Remove the text: the API server that it names cannot be reached."""
        with suppress(OSError):
            self._path.unlink()


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"manifest-engine-{os.getuid()}"


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return own and not found.st_mode & 0o077
