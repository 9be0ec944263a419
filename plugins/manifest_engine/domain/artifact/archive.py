"""The artifact: a ZIP that is checked as a whole and then streamed as a build context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
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
    member_error,
    quoted,
    refuse_name_collisions,
    safe_path,
    wrapping_folder,
)
from manifest_engine.domain.artifact.zip_file import Member, read_directory, read_member
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

_READ_MAX = 1 << 20
"""Bytes of a file that is read into memory; the longest known Dockerfiles have about 50 KiB."""


def open_archive(file: BinaryIO, limits: Limits, dockerfile: str | None = None) -> Archive:
    """Read and check the central directory and ``.dockerignore``.

    :param file: seekable and open for reading; the archive reads from the file until the end.
    :param dockerfile: path of the Dockerfile that the manifest names.
    :raises ArtifactError: when the ZIP is broken, unsafe or beyond the limits, or its
        ``.dockerignore`` is not valid.
    """
    return Archive(file, read_directory(file, limits), dockerfile)


class Archive:
    """The files of a service, by path in the build context. Use :func:`open_archive`.

    A single folder around all files is removed from the paths. The files that macOS adds to a ZIP
    are left out. ``.dockerignore`` excludes files from the context, as with ``docker build``.
    """

    def __init__(
        self, file: BinaryIO, members: list[Member], dockerfile: str | None = None
    ) -> None:
        self._file = file
        self._named_dockerfile = dockerfile
        self._dockerfile = dockerfile or DOCKERFILE
        paths = {member.path for member in members}
        paths |= {path.partition("/")[0] for path in paths if "/" in path}  # not always listed
        self._members = [m for m in members if m.path and not is_junk(m.path, paths)]
        folders = folders_of((m.path, m.is_folder) for m in self._members)
        named = {m.path + "/" if m.is_folder else m.path for m in self._members}
        cut = len(wrapping_folder(named, self._dockerfile))
        self._files = {m.path[cut:]: m for m in self._members if not m.is_folder}
        self._folders = {path[cut:] for path in folders if len(path) > cut}
        if not self._files:
            raise ArtifactError("The artifact contains no files; pack the service into it.")
        if len(self._files) == 1 and is_archive(only := next(iter(self._files))):
            raise ArtifactError(
                f"The artifact contains another archive, {quoted(only)}, and nothing else; publish "
                "a ZIP with the files of that archive."
            )
        self._ignore = self._ignore_rules()
        self._context = {
            path: m
            for path, m in self._files.items()
            if path == self._dockerfile or not self._is_ignored(path)
        }
        refuse_name_collisions(self._context)
        if unsupported := next((m for m in self._context.values() if m.unsupported), None):
            raise member_error(unsupported.name, unsupported.unsupported)

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
        """The path of the ignore file, if any."""
        return self._ignore.path if self._ignore else None

    @cached_property
    def notes(self) -> list[str]:
        """Sentences about guesses and probable mistakes."""
        notes = []
        guessed = [member for member in self._members if member.guess]
        for guess in dict.fromkeys(member.guess for member in guessed):
            alike = [member for member in guessed if member.guess is guess]
            more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
            notes.append(f"The ZIP's name {quoted(alike[0].name)} {guess}{more}.")
        unused = sorted(filter(is_dockerfile, self._context))
        if self.dockerfile_path is None and unused:
            notes.append(f"The standard Dockerfile is used; {quoted(unused[0])} is not.")
        if self._ignore and self._ignore.is_utf16:
            notes.append(
                f"{self._ignore.path} is UTF-16, so no pattern in it matches, as with docker "
                "build; save it as UTF-8."
            )
        return notes

    def has(self, path: str) -> bool:
        """Whether the ZIP has this file or folder, also if an ignore file excludes it."""
        return path in self._files or path in self._folders

    def nearest(self, path: str) -> str | None:
        """The file or folder of the build context that was most likely meant by a missing path."""
        name = path.rpartition("/")[2].casefold()
        alike = [p for p in self._context if p.rpartition("/")[2].casefold() == name]
        alike += [p for p in self._folders if p.rpartition("/")[2].casefold() == name]
        return min(alike, key=lambda p: (p.casefold() != path.casefold(), len(p), p), default=None)

    def has_match(self, pattern: str) -> bool:
        """Whether ``COPY`` finds a file or folder of the build context.

        :param pattern: a path in which ``*`` and ``?`` match all characters but ``/``.
        """
        asked = [part for part in pattern.split("/") if part not in ("", ".")]
        for path in (*self._context, *self._folders):
            parts = path.split("/")
            if len(parts) == len(asked) and all(map(fnmatchcase, parts, asked)):
                return True
        return False

    def file_named(self, path: str) -> str | None:
        """The only file of the build context with the name of a file in the image."""
        name = path.rpartition("/")[2]
        alike = [p for p in self._context if p.rpartition("/")[2] == name]
        return alike[0] if len(alike) == 1 else None

    def is_executable(self, path: str) -> bool:
        """Whether the ZIP marks the file as executable."""
        return self._files[path].executable

    def content(self, path: str) -> bytes | None:
        """A file of at most 1 MiB; None if the ZIP has no such file.

        :raises ArtifactError: for a larger or damaged file.
        """
        member = self._files.get(path)
        return None if member is None else self._read(member, path)

    def beginning(self, path: str) -> bytes:
        """The first bytes of a file, at most 1 MiB; empty for a damaged file."""
        try:
            return next(read_member(self._file, self._files[path]), b"")
        except ArtifactError:
            return b""

    @property
    def dockerfile_path(self) -> str | None:
        """Path of the Dockerfile in the ZIP; None to build with the standard Dockerfile."""
        return self._dockerfile if self._dockerfile in self._files else None

    def dockerfile(self, default: bytes) -> bytes:
        """The content of the Dockerfile to build with.

        :param default: the standard Dockerfile, for a ZIP without ``scripts/Dockerfile``.
        :raises ArtifactError: when the ZIP lacks the Dockerfile that the manifest names, or the
            ZIP's Dockerfile cannot be read or is larger than 1 MiB.
        """
        member = self._files.get(self._dockerfile)
        if member is None:
            self._refuse_missing_dockerfile()
            return default
        return self._read(member, "a Dockerfile")

    def require_dockerfile(self) -> None:
        """
        :raises ArtifactError: when the ZIP lacks the Dockerfile that the manifest names, or has a
            Dockerfile that the build would not use.
        """
        if self.dockerfile_path:
            return
        self._refuse_missing_dockerfile()
        if found := next(filter(is_misplaced_dockerfile, sorted(self._context)), None):
            raise ArtifactError(
                f"The artifact has {quoted(found)}, which would not be used: name this file in "
                f"`dockerfile` of the manifest, or rename it to {DOCKERFILE}, with exactly this "
                "spelling (its paths are relative to the ZIP's root). To build with the standard "
                "Dockerfile, remove this file or list it in .dockerignore."
            )

    def _refuse_missing_dockerfile(self) -> None:
        path = self._named_dockerfile
        if path is None:
            return
        other = self.nearest(path) or next(filter(is_dockerfile, sorted(self._context)), None)
        hint = f"; it has {quoted(other)}: correct the name" if other else ": add the file"
        raise ArtifactError(
            f"The manifest names the Dockerfile {quoted(path)}, which is not in the ZIP (the path "
            f"is relative to the ZIP's root){hint}, or leave `dockerfile` out."
        )

    def tar_stream(self, extra: Mapping[str, bytes] | None = None) -> Iterator[bytes]:
        """The build context as a tar; the same content with the same times gives the same bytes.

        The stream verifies each member, so an error can occur in the middle of the stream. The
        caller must then discard the blocks before the error.

        :param extra: further files by path, not executable. They replace files of the ZIP with the
            same path and are never ignored.
        :raises ArtifactError: at once when the path of an extra file conflicts with the ZIP's
            files; while streaming when a member differs from its entry in the central directory.
        """
        added = {safe_path(path): content for path, content in (extra or {}).items()}
        files = [
            ContextFile(path, m.size, m.executable, read_member(self._file, m), m.modified)
            for path, m in self._context.items()
            if path not in added
        ]
        files += [ContextFile(path, len(c), False, (c,)) for path, c in added.items()]
        named = [(path, True) for path in self._folders if not self._is_ignored(path)]
        folders = folders_of([*named, *((file.path, False) for file in files)])
        return tar_stream(folders, files)

    def _is_ignored(self, path: str) -> bool:
        return self._ignore is not None and self._ignore(path)

    def _ignore_rules(self) -> IgnoreRules | None:
        """The rules of the first ignore file found (docs.docker.com/build/concepts/context)."""
        for path in (f"{self._dockerfile}.dockerignore", ".dockerignore"):
            if member := self._files.get(path):
                if member.unsupported:
                    raise member_error(member.name, member.unsupported)
                return IgnoreRules(self._read(member, path), path)
        return None

    def _read(self, member: Member, kind: str) -> bytes:
        if member.size > _READ_MAX:
            raise member_error(member.name, f"has {member.size} bytes, too many for {kind}")
        return b"".join(read_member(self._file, member))
