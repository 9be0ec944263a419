"""Paths inside an artifact: which are refused, which are dropped, and where the root is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from manifest_engine.domain import printable
from manifest_engine.domain.errors import ArtifactError

DOCKERFILE = "scripts/Dockerfile"
"""The Dockerfile that wins when the ZIP has it."""

_PART_MAX = 255
_PATH_MAX = 4095
"""Linux' NAME_MAX and PATH_MAX, in bytes: what no builder could write anyway."""
_DRIVE = re.compile(r"^[A-Za-z]:")
_SPACES = frozenset("\t\n\v\f\r")
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
    if printable.unprintable(name) or not _SPACES.isdisjoint(name):
        raise refused(name, "has a control character in its name; rename it")
    if "\\" in name:
        raise refused(name, "has a backslash in its name; pack the ZIP with '/' between folders")
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
    :raises ArtifactError: for two files of one name, a file where a folder is, and two spellings
        that are one name where case or Unicode normalisation do not count (macOS, Windows).
    """
    taken: dict[str, tuple[str, bool]] = {}
    for path, is_folder in members:
        if not _claim(taken, path, is_folder):
            continue
        parent = path.rpartition("/")[0]
        while parent and _claim(taken, parent, True):
            parent = parent.rpartition("/")[0]
    return {path for path, is_folder in taken.values() if is_folder}


def _claim(taken: dict[str, tuple[str, bool]], path: str, is_folder: bool) -> bool:
    """Take the name; False when this very folder was there already, with its parents."""
    key = path.lower() if path.isascii() else _caseless(path)
    mine = (path, is_folder)
    found = taken.setdefault(key, mine)
    if found is mine:
        return True
    other, other_is_folder = found
    if other != path:
        raise refused(
            path,
            f"and {shown(other)} differ only by case or Unicode form, so that they are one file "
            "on some systems; rename one",
        )
    if is_folder and other_is_folder:
        return False
    if is_folder or other_is_folder:
        raise refused(path, "is a file and a folder at once; pack the ZIP anew")
    raise refused(path, "stands in it twice; pack the ZIP anew")


def _caseless(text: str) -> str:
    """Unicode 3.13, D145: canonical caseless matching."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def is_junk(path: str) -> bool:
    """What macOS adds to a ZIP: resource forks in ``__MACOSX/`` and ``.DS_Store``."""
    return path.split("/", 1)[0] == "__MACOSX" or path.rpartition("/")[2] == ".DS_Store"


def wrapper(paths: Collection[str]) -> str:
    """The single folder around everything as ``name/``, to be looked through, or ``""``.

    ``scripts/Dockerfile`` at the root shows that the root is the root, whatever is beside it.

    :param paths: those of folders end in ``/``.
    """
    if DOCKERFILE in paths:
        return ""
    tops = {path.split("/", 1)[0] for path in paths}
    if len(tops) != 1:
        return ""
    top = tops.pop()
    return f"{top}/" if all(path.startswith(f"{top}/") for path in paths) else ""
