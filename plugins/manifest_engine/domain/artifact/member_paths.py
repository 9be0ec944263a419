"""Paths inside an artifact: which are refused, which are dropped, and where the root is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Set

from manifest_engine.domain.core.errors import ArtifactError

DOCKERFILE = "scripts/Dockerfile"
"""The Dockerfile that wins when the ZIP has it."""

_DOCKERFILE_NAMES = ("dockerfile", "dockerfile.txt", "containerfile")
"""In any case. Windows adds ``.txt``, and hides it."""
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_PART_MAX = 255
_PATH_MAX = 4095
"""Linux' NAME_MAX and PATH_MAX, in bytes: what no builder could write anyway."""
_FOLDERS_MAX = 64 << 20
"""Characters of the paths of all folders: a path of 4 KiB can name 2,000 of them, each with a path
of its own."""
_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What moves a terminal's cursor, and lone surrogates. Bidirectional overrides do neither, and
docker build takes them; messages show them escaped."""
_SHOWN_MAX = 120


def shown(name: str) -> str:
    """A member's name for messages: quoted, control characters escaped, not endless."""
    return repr(name if len(name) <= _SHOWN_MAX else name[: _SHOWN_MAX - 1] + "…")


def refused(name: str, why: str) -> ArtifactError:
    """The error about one member: ``why`` continues the sentence after its name."""
    return ArtifactError(f"The artifact's member {shown(name)} {why}.")


def safe_path(name: str) -> str:
    """The path of a member under the root: relative, with ``/``, without ``.`` and empty parts.

    :return: the path without a trailing slash; empty for the root itself.
    :raises ArtifactError: when the name could lead out of the root, or mean two things.
    """
    if _CONTROL.search(name):
        raise refused(name, "has a control character in its name; rename it")
    if "\\" in name:
        raise refused(
            name,
            "has a backslash in its name, as .NET's ZipFile before 4.6.1 writes it between "
            "folders; pack the ZIP with '/' between them (7-Zip, or tar -a -c -f service.zip *)",
        )
    if name.startswith("/") or _DRIVE.match(name):
        raise refused(name, "has an absolute path; pack the ZIP with relative paths")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused(name, "leads out of its folder by '..'; pack the ZIP without it")
    path = "/".join(parts)
    if any(len(part.encode()) > _PART_MAX for part in parts) or len(path.encode()) > _PATH_MAX:
        raise refused(name, f"has a longer name than Linux allows ({_PART_MAX} bytes)")
    return path


def folders_of(members: Iterable[tuple[str, bool]]) -> set[str]:
    """All folders, named or implied, once every path is known to have one meaning.

    :param members: path and whether it is a folder. The same folder may come twice: some packers
        write that, and it carries nothing.
    :raises ArtifactError: for two files of one name, a file where a folder is, or too many folders.
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
                raise refused(path, "is one of too many folders in folders; pack fewer of them")
    return {path for path, is_folder in taken.items() if is_folder}


def _claim(taken: dict[str, bool], path: str, is_folder: bool) -> bool:
    """Take the path; False when this very folder was there already, with its parents."""
    if path not in taken:
        taken[path] = is_folder
        return True
    if is_folder and taken[path]:
        return False
    if is_folder or taken[path]:
        raise refused(path, "is a file and a folder at once; pack the ZIP anew")
    raise refused(path, "stands in it twice; pack the ZIP anew")


def refuse_name_collisions(files: Iterable[str]) -> None:
    """Folders may differ by case alone: no file is lost where they become one.

    :raises ArtifactError: for two files that are one where case or Unicode normalisation do not
        count (macOS, Windows): whoever packed the ZIP there has not seen both.
    """
    taken: dict[str, str] = {}
    for path in files:
        other = taken.setdefault(path.lower() if path.isascii() else _caseless(path), path)
        if other != path:
            raise refused(
                path,
                f"and {shown(other)} differ only by case or Unicode form, so that they are one "
                "file on some systems; rename one",
            )


def _caseless(text: str) -> str:
    """Unicode 3.13, D145: canonical caseless matching."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def is_junk(path: str, paths: Set[str]) -> bool:
    """What macOS adds to a ZIP: ``__MACOSX/``, ``.DS_Store``, and AppleDouble files, which lie as
    ``._name`` beside ``name``.

    :param paths: of all members.
    """
    folder, slash, name = path.rpartition("/")
    if path.split("/", 1)[0] == "__MACOSX" or name == ".DS_Store":
        return True
    return name.startswith("._") and f"{folder}{slash}{name[2:]}" in paths


def wrapper(paths: Collection[str], dockerfile: str) -> str:
    """The single folder around everything as ``name/``, to be looked through, or ``""``.

    The Dockerfile in its place shows that the root is the root, whatever is beside it.

    :param paths: those of folders end in ``/``.
    """
    if dockerfile in paths:
        return ""
    tops = {path.split("/", 1)[0] for path in paths}
    if len(tops) != 1:
        return ""
    top = tops.pop()
    return f"{top}/" if all(path.startswith(f"{top}/") for path in paths) else ""


def is_dockerfile(path: str) -> bool:
    """A Dockerfile by its name, wherever it lies and whatever it builds."""
    name = path.rpartition("/")[2].casefold()
    variant = name.startswith("dockerfile.") and not name.endswith(".dockerignore")
    return variant or name in _DOCKERFILE_NAMES


def is_misplaced_dockerfile(path: str) -> bool:
    """A file that its author means to build with: at the root or in one folder, of any spelling."""
    folder, _, name = path.rpartition("/")
    in_reach = "/" not in folder and not folder.startswith(".")
    return in_reach and name.casefold() in _DOCKERFILE_NAMES


def is_archive(path: str) -> bool:
    """A file that holds other files."""
    return path.casefold().endswith(_ARCHIVES)
