"""What the artifact says about a failed build: a file left out, a script with Windows line ends."""

from __future__ import annotations

import re

from manifest_engine.domain.artifact.archive import Archive
from manifest_engine.domain.artifact.member_paths import quoted

_HEREDOC = re.compile(r"<<-?[\"']?\w")
_LF_ONLY = "save it with LF alone (in Git: `* text eol=lf` in .gitattributes)"


class BuildHints:
    """Each method returns a sentence without a full stop, or None.

    :param dockerfile: content of the Dockerfile.
    """

    def __init__(self, archive: Archive, dockerfile: bytes) -> None:
        self._archive = archive
        self._dockerfile = dockerfile

    def missing_file(self, path: str) -> str:
        """Why the build context lacks a path.

        :param path: from the context's root, beginning with ``/``.
        """
        asked = path.strip("/")
        if self._archive.has(asked):
            return (
                f"{path} is in the ZIP, but {self._archive.ignore_path} leaves it out of the "
                f"build: change the pattern there, or add the line !{asked}"
            )
        top = asked.partition("/")[0]
        if top != asked and not self._archive.has(top):
            sentence = f"{path} is not in the ZIP, which has no folder {top}/ at its root"
        else:
            sentence = f"{path} is not in the ZIP (paths count from its root)"
        if other := self._archive.nearest(asked):
            return f"{sentence}; it has {quoted(other)}: move or rename it, or correct the line"
        return f"{sentence}: add it, or correct the line"

    def script_flaw(self, program: str, *, denied: bool = False) -> str | None:
        """Why a program could not be started, or failed, if it is a script of the ZIP.

        :param program: path in the image or on the command line.
        :param denied: whether the system refused to execute the program.
        """
        path = self._archive.file_named(program)
        if path is None:
            return None
        first, *more = self._archive.beginning(path).split(b"\n")
        if first.endswith(b"\r") and (more or first.startswith(b"#!")):
            return f"{quoted(path)} has Windows line ends (CRLF): {_LF_ONLY}"
        if denied and not self._archive.is_executable(path):
            return (
                f"{quoted(path)} is not executable in the ZIP (a ZIP made on Windows has no such "
                f"bit): set it with COPY --chmod=755 or RUN chmod +x, or run it with its "
                f"interpreter, such as sh {path}"
            )
        return None

    def heredoc_flaw(self, instruction: str) -> str | None:
        """Why a heredoc failed: its lines reach the shell as they are in the Dockerfile."""
        if _HEREDOC.search(instruction) and b"\r\n" in self._dockerfile:
            return (
                "the Dockerfile has Windows line ends (CRLF), which a heredoc passes on to the "
                f"shell: {_LF_ONLY}"
            )
        return None
