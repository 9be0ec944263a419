"""What ``.dockerignore`` leaves out of a build context, exactly as ``docker build`` does.

The client of ``docker build`` applies that file to a folder. Nobody applies it to a context that
comes as a tar, so whoever makes the tar must. The rules are those of three Go packages, read at
moby/patternmatcher 5a6d842 (2026-03-24; ``ignorefile`` reads the lines, ``patternmatcher`` the
patterns) and tonistiigi/fsutil 6d9dc2e (2026-07-16; ``filter.go`` walks the folder). They are
stricter and odder than their documentation: a pattern becomes a regular expression of Go, so
``src\\data`` is ``src``, a digit and ``ata``. RE2 is the engine that Go's is made after; it takes
time that is linear in the path, whatever the pattern.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.artifact.member_paths import shown
from manifest_engine.domain.core.errors import ArtifactError

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What Go's strings.TrimSpace takes away."""
_LINE_MAX = 64 << 10
"""Bytes of the longest line that Go's bufio.Scanner reads (MaxScanTokenSize)."""
_ANY = "[^/]*"
_ESCAPED = ".+()$"
"""What patternmatcher escapes. It means to escape ``{|}`` as well, but its table is too small for
them (``escapeBytes``): ``a{2}*`` is ``aa`` and more."""
_WILDCARDS = frozenset("*[]?^\\")
_CHAR = r"(?:\\(.)|([^\\\]-]))"
_RANGE = re.compile(rf"{_CHAR}(?:-{_CHAR})?", re.DOTALL)
"""One character or range in the brackets of Go's filepath.Match."""
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_QUOTED_OR_ESCAPED = re.compile(r"\\Q.*?(?:\\E|$)|\\[^C]", re.DOTALL)
"""What is left may hold ``\\C``, one byte: the only expression that RE2 has and Go has not."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    line: int
    """In the file, from 1."""
    raw: str
    keeps: bool
    """It began with ``!``."""
    text: str
    regex: str | None
    """None when it cannot be one, which docker finds out when a path is compared with it."""


class IgnoreRules:
    """The rules of one file; call them with a path of the context, relative and with ``/``.

    :param content: of the file.
    :param path: of the file, for messages.
    :raises ArtifactError: for a pattern that ``docker build`` refuses to read.
    """

    def __init__(self, content: bytes, path: str) -> None:
        self.path = path
        self.is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        """Written by PowerShell's ``>``: no pattern matches, here as with ``docker build``."""
        self._patterns = [
            made
            for number, line in enumerate(_lines(content, path), 1)
            if (made := _pattern(number, line, path))
        ]
        self._matcher = _matcher(self._patterns)
        kept = [pattern.text for pattern in self._patterns if pattern.keeps]
        self._kept = [_without_trailing_glob(text) + "/" for text in kept]
        self._enters_only_kept = not any(_WILDCARDS & set(text) for text in self._kept)
        self._folders: dict[str, _Match] = {"": _Match(False, False, ())}

    def __call__(self, path: str) -> bool:
        """Whether the path is left out.

        :raises ArtifactError: naming file and line of a pattern that cannot be applied.
        """
        return self._matched(path).out

    def _matched(self, path: str) -> _Match:
        folder = self._folder(path.rpartition("/")[0])
        return folder if folder.unvisited else self._match(path, folder.hits)

    def _folder(self, path: str) -> _Match:
        """As the walk finds it: each folder is visited before its content."""
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        found = self._folders[path]
        for name in reversed(missing):
            if not found.unvisited:
                found = self._match(name, found.hits)
                found = _Match(found.out, found.out and not self._enters(name), found.hits)
            self._folders[name] = found
        return found

    def _enters(self, folder: str) -> bool:
        """Whether docker looks into a folder that is left out, for what an exception keeps."""
        return not self._enters_only_kept or any(t.startswith(folder + "/") for t in self._kept)

    def _match(self, path: str, parent: tuple[bool, ...]) -> _Match:
        matching = self._matcher(path)
        out, hits = False, []
        for place, pattern in enumerate(self._patterns):
            hit = bool(parent) and parent[place]
            if not hit and pattern.keeps is out:
                if pattern.regex is None:
                    raise _bad(pattern.raw, pattern.line, self.path)
                hit = place in matching
            if hit:
                out = not pattern.keeps
            hits.append(hit)
        return _Match(out, False, tuple(hits))


@dataclass(frozen=True, slots=True)
class _Match:
    out: bool
    unvisited: bool
    """Left out with all that is in it, so that the walk does not enter it."""
    hits: tuple[bool, ...]
    """Whether each pattern matched, or one of the folders above; a pattern that could change
    nothing is not asked."""


def _lines(content: bytes, path: str) -> list[str]:
    lines = content.split(b"\n")
    if long := next((n for n, line in enumerate(lines, 1) if len(line) >= _LINE_MAX), None):
        raise ArtifactError(
            f"{path}, line {long}: the line has more than {_LINE_MAX} bytes, which docker build "
            "does not read; shorten it."
        )
    # On its way to the engine's client a pattern is JSON, which has no other bytes than UTF-8.
    text = b"\n".join(line.removesuffix(b"\r") for line in lines).removeprefix(b"\xef\xbb\xbf")
    decoded = text.decode("utf-8", "surrogateescape")
    return _UNDECODABLE.sub("\N{REPLACEMENT CHARACTER}", decoded).split("\n")


def _pattern(number: int, line: str, path: str) -> _Pattern | None:
    """The pattern of one line, None for a comment and an empty line."""
    raw = "" if line.startswith("#") else line.strip(_SPACE)
    if not raw:
        return None
    keeps = raw.startswith("!")
    text = raw[1:].strip(_SPACE) if keeps else raw
    if text:
        text = _clean(text)
        text = text[1:] if len(text) > 1 and text.startswith("/") else text
    # patternmatcher takes the line apart for a second time.
    text = _clean(("!" * keeps + text).strip(_SPACE))
    keeps = text.startswith("!")
    text = text.removeprefix("!")
    if not text or not _is_well_formed(text):
        raise _bad(raw, number, path)
    return _Pattern(number, raw, keeps, text, _compiled(text))


def _bad(raw: str, line: int, path: str) -> ArtifactError:
    return ArtifactError(
        f"{path}, line {line}: {shown(raw)} is no pattern that docker build takes; correct it, or "
        "write a backslash before a bracket that stands for itself."
    )


def _clean(path: str) -> str:
    """Go's filepath.Clean."""
    made = posixpath.normpath(path)
    return made[1:] if made.startswith("//") else made


def _is_well_formed(pattern: str) -> bool:
    """Whether Go's filepath.Match can compare the pattern with ``.``, by which docker tests it.

    It reads from one ``*`` to the next, and not on where the comparison has failed already.
    """
    chunk, rest = _chunk(pattern.lstrip("*"))
    matches_dot = _matches_dot(chunk)
    if matches_dot and rest:
        matches_dot = _matches_dot(_chunk(rest.lstrip("*"))[0])
    return matches_dot is not None


def _chunk(pattern: str) -> tuple[str, str]:
    """The pattern up to its next ``*`` outside of brackets, and the rest."""
    place, in_class = 0, False
    while place < len(pattern) and (in_class or pattern[place] != "*"):
        in_class = pattern[place] == "[" or (in_class and pattern[place] != "]")
        place += 2 if pattern[place] == "\\" else 1
    return pattern[:place], pattern[place:]


def _matches_dot(chunk: str) -> bool | None:
    """Whether the chunk, which has no ``*``, is one ``.``; None when it is malformed."""
    place, matching = 0, []
    while place < len(chunk):
        if chunk[place] == "[":
            if (found := _class(chunk, place + 1)) is None:
                return None
            has_dot, place = found
            matching.append(has_dot)
            continue
        if chunk[place:] == "\\":
            return None
        escaped = chunk[place] == "\\"
        place += escaped
        matching.append(chunk[place] in ("." if escaped else ".?"))
        place += 1
    return matching == [True]


def _class(chunk: str, place: int) -> tuple[bool, int] | None:
    """Whether the bracket that opens before ``place`` takes a ``.``, and where it ends."""
    negated = chunk.startswith("^", place)
    place += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and chunk.startswith("]", place)):
        if not (found := _RANGE.match(chunk, place)):
            return None
        low = found[1] or found[2]
        ranges.append((low, found[3] or found[4] or low))
        place = found.end()
    return any(low <= "." <= high for low, high in ranges) is not negated, place + 1


def _compiled(pattern: str) -> str | None:
    """The regular expression that patternmatcher makes of a pattern; None when RE2 refuses it."""
    made, kind, place = "^", "exact", 0
    # Go's text/scanner skips a byte order mark at the begin.
    scanned = pattern.removeprefix("\ufeff")
    while place < len(scanned):
        char, begins = scanned[place], place == 0
        place += 1
        if scanned.startswith("*", place) and char == "*":
            place += 1
            place += scanned.startswith("/", place)
            if place < len(scanned):
                made, kind = made + "(.*/)?", "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                made, kind = made + ".*", "regex"
            kind = "suffix" if begins else kind
        elif char in "*?":
            made, kind = made + (_ANY if char == "*" else "[^/]"), "regex"
        elif char in _ESCAPED:
            made += "\\" + char
        elif char == "\\":
            made, kind = made + "\\" + scanned[place], "regex"
            place += 1
        else:
            made, kind = made + char, "regex" if char in "[]" else kind
    if kind == "exact":
        return f"^{_literal(pattern)}$"
    if kind == "prefix":
        return f"^{_literal(pattern[:-2])}"
    if kind == "suffix":
        rest = pattern[2:]
        return f"(^|/){_literal(rest[1:])}$" if rest.startswith("/") else f"{_literal(rest)}$"
    return f"{made}$" if _is_regex_of_go(f"{made}$") else None


def _literal(text: str) -> str:
    return "".join("\\" + c if c.isascii() and not c.isalnum() and c != "_" else c for c in text)


def _is_regex_of_go(text: str) -> bool:
    import re2

    if "\\C" in _QUOTED_OR_ESCAPED.sub(" ", text):
        return False
    try:
        re2.compile(text, _options())
    except re2.error:
        return False
    return True


def _matcher(patterns: list[_Pattern]) -> Any:
    """The places of all patterns that match a path, whatever comes of it."""
    import re2

    made = re2.Set.SearchSet(_options())
    known = [place for place, pattern in enumerate(patterns) if pattern.regex is not None]
    for place in known:
        made.Add(patterns[place].regex)
    always = made.Add("^")
    made.Compile()

    def matching(path: str) -> set[int]:
        found = set(made.Match(path))
        if always not in found:  # RE2 was out of memory, and says so by no match
            raise ArtifactError(
                "The patterns of .dockerignore are too many or too long to be compared with "
                f"{shown(path)}; shorten the file."
            )
        return {known[index] for index in found if index != always}

    return matching


def _options() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    return options


def _without_trailing_glob(text: str) -> str:
    return text.removesuffix("/**").removesuffix("/*")
