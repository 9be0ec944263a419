"""The artifact: a ZIP, checked as a whole before it is read, streamed as a build context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import BinaryIO

from manifest_engine.domain.artifact.context import ContextFile, tar_stream
from manifest_engine.domain.artifact.dockerignore import IgnoreRules
from manifest_engine.domain.artifact.member_paths import (
    DOCKERFILE,
    folders_of,
    is_archive,
    is_dockerfile,
    is_junk,
    is_misplaced_dockerfile,
    refuse_name_collisions,
    refused,
    safe_path,
    shown,
    wrapper,
)
from manifest_engine.domain.artifact.zip_directory import Member, read_directory
from manifest_engine.domain.artifact.zip_member import read_member
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

FROM_ARTIFACT = f"{DOCKERFILE} of the artifact"
STANDARD = "the standard Dockerfile"
"""Which Dockerfile won, as logs say it."""

_READ_MAX = 1 << 20
"""What is read into memory; the longest known Dockerfiles have some 50 KiB."""


def open_archive(file: BinaryIO, limits: Limits) -> Archive:
    """Read the central directory and refuse everything that it shows to be wrong.

    :param file: seekable and open for reading; it must stay open as long as the archive is used.
    :raises ArtifactError: when the ZIP is broken, unsafe or beyond the limits, or its
        ``.dockerignore`` cannot be applied.
    """
    return Archive(file, read_directory(file, limits))


class Archive:
    """A service's files, seen from the root of the build context; :func:`open_archive` makes it.

    A single folder around everything is looked through; what macOS adds is left out. What
    ``.dockerignore`` leaves out stays out of the context, as with ``docker build``.
    """

    def __init__(self, file: BinaryIO, members: list[Member]) -> None:
        self._file = file
        paths = {member.path for member in members}
        self._members = [m for m in members if m.path and not is_junk(m.path, paths)]
        folders = folders_of((m.path, m.is_folder) for m in self._members)
        named = {m.path + "/" if m.is_folder else m.path for m in self._members}
        cut = len(wrapper(named, DOCKERFILE))
        self._files = {m.path[cut:]: m for m in self._members if not m.is_folder}
        self._folders = {path[cut:] for path in folders if len(path) > cut}
        if not self._files:
            raise ArtifactError("The artifact contains no files; pack the service into it.")
        if len(self._files) == 1 and is_archive(only := next(iter(self._files))):
            raise ArtifactError(
                f"The artifact contains another archive, {shown(only)}, and nothing else; publish "
                "a ZIP of the files in it."
            )
        self._ignore = self._ignore_rules()
        self._context = {
            path: m for path, m in self._files.items() if path == DOCKERFILE or not self._out(path)
        }
        refuse_name_collisions(self._context)
        if unfit := next((m for m in self._context.values() if m.unfit), None):
            raise refused(unfit.name, unfit.unfit)

    @property
    def members(self) -> tuple[str, ...]:
        """The paths of all files, sorted."""
        return tuple(sorted(self._files))

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(member.size for member in self._files.values())

    @property
    def ignore_path(self) -> str | None:
        """The file that says what stays out of the build context, if any."""
        return self._ignore.path if self._ignore else None

    @cached_property
    def notes(self) -> list[str]:
        """What was guessed or is probably not what its author wants; a sentence each."""
        notes = []
        guessed = [member for member in self._members if member.guess]
        for guess in dict.fromkeys(member.guess for member in guessed):
            alike = [member for member in guessed if member.guess is guess]
            more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
            notes.append(f"The ZIP's name {shown(alike[0].name)} {guess}{more}.")
        passed_over = sorted(filter(is_dockerfile, self._context))
        if DOCKERFILE not in self._files and passed_over:
            notes.append(f"The standard Dockerfile is used; {shown(passed_over[0])} is not.")
        if self._ignore and self._ignore.is_utf16:
            notes.append(
                f"{self._ignore.path} is UTF-16, so it leaves nothing out, as with docker build; "
                "save it as UTF-8."
            )
        return notes

    def dockerfile(self, default: bytes) -> tuple[bytes, str]:
        """The Dockerfile to build with, and which one it is: FROM_ARTIFACT or STANDARD.

        :param default: the standard Dockerfile, for a ZIP without ``scripts/Dockerfile``.
        :raises ArtifactError: when the ZIP's own cannot be read or is absurdly large.
        """
        member = self._files.get(DOCKERFILE)
        if member is None:
            return default, STANDARD
        return self._read(member, "a Dockerfile"), FROM_ARTIFACT

    def refuse_misplaced_dockerfile(self) -> None:
        """
        :raises ArtifactError: when the standard Dockerfile would be used instead of one that the
            ZIP has in another place.
        """
        if DOCKERFILE in self._files:
            return
        if found := next(filter(is_misplaced_dockerfile, sorted(self._context)), None):
            raise ArtifactError(
                f"The artifact has {shown(found)}, which would not be used: rename it to "
                f"{DOCKERFILE}, in exactly these letters (its paths count from the ZIP's root). "
                "To build with the standard Dockerfile, leave it out, or name it in .dockerignore."
            )

    def tar_stream(self, extra: Mapping[str, bytes] | None = None) -> Iterator[bytes]:
        """The build context as a tar; the same content gives the same bytes.

        Members are verified as they pass: an error can come in the midst of the stream, and what
        was made of the blocks before it must be thrown away.

        :param extra: further files by path, not executable; each replaces the ZIP's file of its
            path, and comes whatever ``.dockerignore`` says.
        :raises ArtifactError: at once when an extra file has no place beside the ZIP's files, while
            streaming when a member is not what the ZIP's directory says.
        """
        added = {safe_path(path): content for path, content in (extra or {}).items()}
        files = [
            ContextFile(path, m.size, m.executable, read_member(self._file, m))
            for path, m in self._context.items()
            if path not in added
        ]
        files += [ContextFile(path, len(c), False, (c,)) for path, c in added.items()]
        named = [(path, True) for path in self._folders if not self._out(path)]
        folders = folders_of([*named, *((file.path, False) for file in files)])
        return tar_stream(folders, files)

    def _out(self, path: str) -> bool:
        return self._ignore is not None and self._ignore(path)

    def _ignore_rules(self) -> IgnoreRules | None:
        """Of the first file that is there (docs.docker.com/build/concepts/context)."""
        for path in (f"{DOCKERFILE}.dockerignore", ".dockerignore"):
            if member := self._files.get(path):
                if member.unfit:
                    raise refused(member.name, member.unfit)
                return IgnoreRules(self._read(member, path), path)
        return None

    def _read(self, member: Member, kind: str) -> bytes:
        if member.size > _READ_MAX:
            raise refused(member.name, f"has {member.size} bytes, too many for {kind}")
        return b"".join(read_member(self._file, member))
