"""The artifact: a ZIP, checked as a whole before it is read, streamed as a build context."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from manifest_engine.domain.context import ContextFile, tar_stream
from manifest_engine.domain.environment import Limits
from manifest_engine.domain.errors import ArtifactError
from manifest_engine.domain.member_paths import (
    DOCKERFILE,
    folders_of,
    is_junk,
    refused,
    safe_path,
    wrapper,
)
from manifest_engine.domain.zip_directory import Member, read_directory
from manifest_engine.domain.zip_member import read_member

FROM_ARTIFACT = f"{DOCKERFILE} of the artifact"
STANDARD = "the standard Dockerfile"
"""Which Dockerfile won, as logs say it."""

_IGNORE_FILES = (f"{DOCKERFILE}.dockerignore", ".dockerignore")
"""The first that is there counts (docs.docker.com/build/concepts/context)."""
_READ_MAX = 1 << 20
"""What is read into memory; the longest known Dockerfiles have some 50 KiB."""


def open_archive(file: BinaryIO, limits: Limits) -> Archive:
    """Read the central directory and refuse everything that it shows to be wrong.

    :param file: seekable and open for reading; it must stay open as long as the archive is used.
    :raises ArtifactError: when the ZIP is broken, unsafe or beyond the limits.
    """
    return Archive(file, read_directory(file, limits))


class Archive:
    """A service's files, seen from the root of the build context; :func:`open_archive` makes it.

    A single folder around everything is looked through; what macOS adds is left out.
    """

    def __init__(self, file: BinaryIO, members: list[Member]) -> None:
        self._file = file
        folders_of((member.path, member.is_folder) for member in members if member.path)
        kept = [member for member in members if member.path and not is_junk(member.path)]
        cut = len(wrapper({m.path + "/" if m.is_folder else m.path for m in kept}))
        self._files = {m.path[cut:]: m for m in kept if not m.is_folder}
        self._folders = {m.path[cut:] for m in kept if m.is_folder and len(m.path) > cut}
        if not self._files:
            raise ArtifactError("The artifact contains no files; pack the service into it.")

    @property
    def members(self) -> tuple[str, ...]:
        """The paths of all files, sorted."""
        return tuple(sorted(self._files))

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(member.size for member in self._files.values())

    def dockerfile(self, default: bytes) -> tuple[bytes, str]:
        """The Dockerfile to build with, and which one it is: FROM_ARTIFACT or STANDARD.

        :param default: the standard Dockerfile, for a ZIP without ``scripts/Dockerfile``.
        :raises ArtifactError: when the ZIP's own cannot be read or is absurdly large.
        """
        member = self._files.get(DOCKERFILE)
        if member is None:
            return default, STANDARD
        return self._read(member, "a Dockerfile"), FROM_ARTIFACT

    def ignore_file(self) -> tuple[bytes, str] | None:
        """Content and path of the file that says what stays out of the build context, if any.

        :raises ArtifactError: when it cannot be read or is absurdly large.
        """
        path = next((path for path in _IGNORE_FILES if path in self._files), None)
        return (self._read(self._files[path], path), path) if path else None

    def tar_stream(
        self,
        extra: Mapping[str, bytes] | None = None,
        ignored: Callable[[str], bool] | None = None,
    ) -> Iterator[bytes]:
        """The build context as a tar; the same content gives the same bytes.

        Members are verified as they pass: an error can come in the midst of the stream, and what
        was made of the blocks before it must be thrown away.

        :param extra: further files by path, not executable; each replaces the ZIP's file of its
            path.
        :param ignored: whether a path stays out; the Dockerfile and extra files come all the same.
        :raises ArtifactError: at once when an extra file has no place beside the ZIP's files, while
            streaming when a member is not what the ZIP's directory says.
        """
        added = {safe_path(path): content for path, content in (extra or {}).items()}
        out = ignored or (lambda _: False)
        files = [
            ContextFile(path, m.size, m.executable, read_member(self._file, m))
            for path, m in self._files.items()
            if path not in added and (path == DOCKERFILE or not out(path))
        ]
        files += [ContextFile(path, len(c), False, (c,)) for path, c in added.items()]
        named = [(path, True) for path in self._folders if not out(path)]
        folders = folders_of([*named, *((file.path, False) for file in files)])
        return tar_stream(folders, files)

    def _read(self, member: Member, kind: str) -> bytes:
        if member.size > _READ_MAX:
            raise refused(member.name, f"has {member.size} bytes, too many for {kind}")
        return b"".join(read_member(self._file, member))
