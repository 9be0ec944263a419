"""Rules for paths in an artifact: unsafe paths, name collisions, ignored files and the root."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Set

from manifest_engine.domain.core.errors import ArtifactError

DOCKERFILE = "scripts/Dockerfile"
"""Path of the Dockerfile in the ZIP that replaces the standard Dockerfile."""

_DOCKERFILE_NAMES = ("dockerfile", "dockerfile.txt", "containerfile")
"""Lower case. Windows adds ``.txt`` and hides the extension."""
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_PART_MAX = 255
_PATH_MAX = 4095
"""NAME_MAX and PATH_MAX of Linux, in bytes."""
_FOLDERS_MAX = 64 << 20
"""Characters of the paths of all folders: one path of 4 KiB can imply 2,000 folders."""
_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates. Bidirectional overrides are allowed, as in docker build;
messages show them escaped."""
_QUOTED_MAX = 120


def quoted(name: str) -> str:
    """A member's name for messages: in quotes, with escaped control characters, and cut."""
    return repr(name if len(name) <= _QUOTED_MAX else name[: _QUOTED_MAX - 1] + "…")


def member_error(name: str, why: str) -> ArtifactError:
    """The error about one member. ``why`` continues the sentence after the member's name."""
    return ArtifactError(f"The artifact's member {quoted(name)} {why}.")


def safe_path(name: str) -> str:
    """The path of a member under the root: relative, with ``/``, without ``.`` and empty parts.

    :return: the path without a trailing slash; empty for the root itself.
    :raises ArtifactError: when the name is ambiguous or could lead out of the root.
    """
    if _CONTROL.search(name):
        raise member_error(name, "has a control character in its name; rename it")
    if "\\" in name:
        raise member_error(
            name,
            "has a backslash in its name, as .NET's ZipFile before 4.6.1 writes between "
            "folders; pack the ZIP with '/' between them (7-Zip, or tar -a -c -f service.zip *)",
        )
    if name.startswith("/") or _DRIVE.match(name):
        raise member_error(name, "has an absolute path; pack the ZIP with relative paths")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise member_error(name, "leads out of the ZIP's root by '..'; pack the ZIP without '..'")
    path = "/".join(parts)
    if any(len(part.encode()) > _PART_MAX for part in parts) or len(path.encode()) > _PATH_MAX:
        raise member_error(name, f"has a longer name than Linux allows ({_PART_MAX} bytes)")
    return path


def folders_of(members: Iterable[tuple[str, bool]]) -> set[str]:
    """All folders, listed in the ZIP or implied by a path.

    :param members: the path, and whether the path is a folder. Some packers list a folder twice.
    :raises ArtifactError: for two files with one path, for a path that is a file and a folder, or
        for too many folders.
    """
    taken: dict[str, bool] = {}
    characters = 0
    for path, is_folder in members:
        if not _claim(taken, path, is_folder):
            continue
        parent = path.rpartition("/")[0]
        while parent and _claim(taken, parent, True):
            parent = parent.rpartition("/")[0]
            characters += len(parent)
            if characters > _FOLDERS_MAX:
                raise member_error(path, "is in too many nested folders; pack fewer folders")
    return {path for path, is_folder in taken.items() if is_folder}


def _claim(taken: dict[str, bool], path: str, is_folder: bool) -> bool:
    """Record the path. False when the path is a folder that is already recorded."""
    if path not in taken:
        taken[path] = is_folder
        return True
    if is_folder and taken[path]:
        return False
    if is_folder or taken[path]:
        raise member_error(path, "is a file and a folder at once; pack the ZIP again")
    raise member_error(path, "is in the ZIP twice; pack the ZIP again")


def refuse_name_collisions(files: Iterable[str]) -> None:
    """Refuse files whose paths differ only by case or Unicode form.

    macOS and Windows keep only one of them, so the author cannot have tested both.
    Folders may differ by case alone, since no file is lost when two folders become one.

    :raises ArtifactError: naming both files.
    """
    taken: dict[str, str] = {}
    for path in files:
        other = taken.setdefault(path.lower() if path.isascii() else _caseless(path), path)
        if other != path:
            raise member_error(
                path,
                f"and {quoted(other)} differ only by case or Unicode form, so that they are one "
                "file on some systems; rename one",
            )


def _caseless(text: str) -> str:
    """A key that is equal for names that differ by case or form only (Unicode 3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def is_junk(path: str, paths: Set[str]) -> bool:
    """Whether macOS added the file: ``__MACOSX/``, ``.DS_Store``, or ``._name`` beside ``name``.

    :param paths: the paths of all members, and the folders at the root.
    """
    folder, slash, name = path.rpartition("/")
    if path.split("/", 1)[0] == "__MACOSX" or name == ".DS_Store":
        return True
    return name.startswith("._") and f"{folder}{slash}{name[2:]}" in paths


def wrapping_folder(paths: Collection[str], dockerfile: str) -> str:
    """The single folder around all files as ``name/``; empty if there is none.

    A ZIP with the Dockerfile at its path from the root has no wrapping folder.

    :param paths: a folder's path ends in ``/``.
    """
    if dockerfile in paths:
        return ""
    tops = {path.split("/", 1)[0] for path in paths}
    if len(tops) != 1:
        return ""
    top = tops.pop()
    return f"{top}/" if all(path.startswith(f"{top}/") for path in paths) else ""


def is_dockerfile(path: str) -> bool:
    """Whether the file is a Dockerfile by its name, in any folder."""
    name = path.rpartition("/")[2].casefold()
    variant = name.startswith("dockerfile.") and not name.endswith(".dockerignore")
    return variant or name in _DOCKERFILE_NAMES


def is_misplaced_dockerfile(path: str) -> bool:
    """Whether the file is a Dockerfile at the root or in a top-level folder, in any spelling."""
    folder, _, name = path.rpartition("/")
    in_reach = "/" not in folder and not folder.startswith(".")
    return in_reach and name.casefold() in _DOCKERFILE_NAMES


def is_archive(path: str) -> bool:
    """Whether the file is an archive by its name."""
    return path.casefold().endswith(_ARCHIVES)
