"""The files of the Artifactory stand-in and their metadata."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import mimetypes
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

_BLOCK = 1 << 20


class BadPathError(Exception):
    """The path leaves its repository."""


@dataclass(frozen=True)
class Stored:
    """The metadata of one file."""

    size: int
    sha1: str
    md5: str
    sha256: str
    created: str
    created_by: str

    @property
    def moment(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.created).replace(microsecond=0)

    @property
    def checksums(self) -> dict[str, str]:
        return {"sha1": self.sha1, "md5": self.md5, "sha256": self.sha256}


@dataclass(frozen=True)
class Upload:
    """A received file that is not yet visible under a path."""

    draft: Path
    stored: Stored


class Store:
    """Files under ``root``. A file appears only when it is complete."""

    def __init__(self, root: Path) -> None:
        self._files = root / "files"
        self._facts = root / "facts"
        self._drafts = root / "drafts"
        for folder in (self._files, self._facts, self._drafts):
            folder.mkdir(parents=True, exist_ok=True)

    def find(self, repo: str, path: str) -> Stored | None:
        facts = self._place(self._facts, repo, path)
        facts = facts.with_name(facts.name + ".json")
        return Stored(**json.loads(facts.read_text())) if facts.is_file() else None

    def children(self, repo: str, path: str) -> list[tuple[str, bool]] | None:
        """Name of each child and whether the child is a folder; None if there is no such folder."""
        folder = self._place(self._files, repo, path)
        if not folder.is_dir():
            return None
        return sorted((child.name, child.is_dir()) for child in folder.iterdir())

    def below(self, repo: str, path: str) -> Iterator[tuple[str, Stored]]:
        """Each file below a folder, with the path relative to the folder."""
        folder = self._place(self._files, repo, path)
        for file in sorted(folder.rglob("*")):
            below = file.relative_to(folder).as_posix()
            if file.is_file() and (stored := self.find(repo, f"{path.strip('/')}/{below}")):
                yield below, stored

    def folder_time(self, repo: str, path: str) -> str:
        folder = self._place(self._files, repo, path)
        return _stamp(folder.stat().st_mtime if folder.is_dir() else 0)

    def read(self, repo: str, path: str, start: int, length: int) -> Iterator[bytes]:
        with self._place(self._files, repo, path).open("rb") as file:
            file.seek(start)
            while length > 0 and (block := file.read(min(_BLOCK, length))):
                length -= len(block)
                yield block

    async def receive(self, blocks: AsyncIterator[bytes], user: str) -> Upload:
        digests = [hashlib.sha1(), hashlib.md5(), hashlib.sha256()]
        size = 0
        with tempfile.NamedTemporaryFile(dir=self._drafts, delete=False) as draft:
            try:
                async for block in blocks:
                    draft.write(block)
                    size += len(block)
                    for digest in digests:
                        digest.update(block)
            except BaseException:
                Path(draft.name).unlink()
                raise
        sha1, md5, sha256 = (digest.hexdigest() for digest in digests)
        now = _stamp(dt.datetime.now(dt.UTC).timestamp())
        return Upload(Path(draft.name), Stored(size, sha1, md5, sha256, now, user))

    def keep(self, upload: Upload, repo: str, path: str) -> None:
        target = self._place(self._files, repo, path)
        facts = self._place(self._facts, repo, path)
        for folder in (target.parent, facts.parent):
            folder.mkdir(parents=True, exist_ok=True)
        upload.draft.replace(target)
        facts.with_name(facts.name + ".json").write_text(json.dumps(asdict(upload.stored)))

    def discard(self, upload: Upload) -> None:
        upload.draft.unlink(missing_ok=True)

    def remove(self, repo: str, path: str) -> bool:
        """Remove a file or a folder. False if neither exists."""
        target = self._place(self._files, repo, path)
        facts = self._place(self._facts, repo, path)
        if target.is_dir():
            shutil.rmtree(target)
            shutil.rmtree(facts, ignore_errors=True)
            return True
        facts.with_name(facts.name + ".json").unlink(missing_ok=True)
        if target.exists():
            target.unlink()
            return True
        return False

    @staticmethod
    def _place(root: Path, repo: str, path: str) -> Path:
        pure = PurePosixPath(repo, path.strip("/"))
        if pure.is_absolute() or ".." in pure.parts or "\0" in str(pure):
            raise BadPathError(str(pure))
        return root / pure


def mime_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _stamp(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
