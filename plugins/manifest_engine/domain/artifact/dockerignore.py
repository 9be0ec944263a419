"""The rules of ``.dockerignore``, exactly as ``docker build`` applies them.

``docker build`` applies ``.dockerignore`` to a folder, but not to a context that arrives as a tar,
so the program that makes the tar must apply the rules. The rules follow three Go packages:
``ignorefile`` (lines) and ``patternmatcher`` (patterns) of moby/patternmatcher 5a6d842 (2026-03-24)
and ``filter.go`` (folders) of tonistiigi/fsutil 6d9dc2e (2026-07-16). Their behaviour differs from
their documentation: a pattern becomes a regular expression of Go, so ``src\\data`` matches ``src``,
a digit and ``ata``. RE2 has the syntax of Go's expressions and takes time linear in the path.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.artifact.member_paths import quoted
from manifest_engine.domain.core.errors import ArtifactError

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""The characters that Go's strings.TrimSpace removes."""
_LINE_MAX = 64 << 10
"""Bytes of the longest line that Go's bufio.Scanner reads (MaxScanTokenSize)."""
_ANY = "[^/]*"
_ESCAPED = ".+()$"
"""The characters that patternmatcher escapes. Its table ``escapeBytes`` is too small to hold
``{|}`` as intended, so ``a{2}*`` matches names that begin with ``aa``."""
_WILDCARDS = frozenset("*[]?^\\")
_CHAR = r"(?:\\(.)|([^\\\]-]))"
_RANGE = re.compile(rf"{_CHAR}(?:-{_CHAR})?", re.DOTALL)
"""One character or range in the brackets of Go's filepath.Match."""
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_QUOTED_OR_ESCAPED = re.compile(r"\\Q.*?(?:\\E|$)|\\[^C]", re.DOTALL)
"""Removed before the search for ``\\C`` (one byte), the only expression of RE2 that Go lacks."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    line: int
    """Line number in the file, from 1."""
    raw: str
    keeps: bool
    """Whether the pattern begins with ``!``."""
    text: str
    regex: str | None
    """None for an invalid expression, which docker reports when it compares the first path."""


class IgnoreRules:
    """The rules of one ignore file. Call the object with a relative path of the context.

    :param content: content of the ignore file.
    :param path: path of the ignore file, for messages.
    :raises ArtifactError: for a pattern that ``docker build`` refuses.
    """

    def __init__(self, content: bytes, path: str) -> None:
        self.path = path
        self.is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        """PowerShell's ``>`` writes UTF-16. No pattern then matches, as with ``docker build``."""
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
        """Whether the path is ignored.

        :raises ArtifactError: naming file and line of an invalid pattern.
        """
        return self._matched(path).ignored

    def _matched(self, path: str) -> _Match:
        folder = self._folder(path.rpartition("/")[0])
        return folder if folder.unvisited else self._match(path, folder.hits)

    def _folder(self, path: str) -> _Match:
        """The match of a folder; docker matches each folder before its content."""
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        found = self._folders[path]
        for name in reversed(missing):
            if not found.unvisited:
                found = self._match(name, found.hits)
                unvisited = found.ignored and not self._enters(name)
                found = _Match(found.ignored, unvisited, found.hits)
            self._folders[name] = found
        return found

    def _enters(self, folder: str) -> bool:
        """Whether docker searches an ignored folder for files that an exception keeps."""
        return not self._enters_only_kept or any(t.startswith(folder + "/") for t in self._kept)

    def _match(self, path: str, parent: tuple[bool, ...]) -> _Match:
        matching = self._matcher(path)
        ignored, hits = False, []
        for place, pattern in enumerate(self._patterns):
            hit = bool(parent) and parent[place]
            if not hit and pattern.keeps is ignored:
                if pattern.regex is None:
                    raise _bad(pattern.raw, pattern.line, self.path)
                hit = place in matching
            if hit:
                ignored = not pattern.keeps
            hits.append(hit)
        return _Match(ignored, False, tuple(hits))


@dataclass(frozen=True, slots=True)
class _Match:
    ignored: bool
    unvisited: bool
    """Whether docker ignores the whole content of the folder without matching it."""
    hits: tuple[bool, ...]
    """For each pattern, whether it matches the path or a parent folder. A pattern that cannot
    change the result is not compared."""


def _lines(content: bytes, path: str) -> list[str]:
    lines = content.split(b"\n")
    if long := next((n for n, line in enumerate(lines, 1) if len(line) >= _LINE_MAX), None):
        raise ArtifactError(
            f"{path}, line {long}: the line has more than {_LINE_MAX} bytes, which docker build "
            "does not read; shorten it."
        )
    # docker build sends the patterns as JSON, in which invalid UTF-8 becomes U+FFFD.
    text = b"\n".join(line.removesuffix(b"\r") for line in lines).removeprefix(b"\xef\xbb\xbf")
    decoded = text.decode("utf-8", "surrogateescape")
    return _UNDECODABLE.sub("\N{REPLACEMENT CHARACTER}", decoded).split("\n")


def _pattern(number: int, line: str, path: str) -> _Pattern | None:
    """The pattern of one line; None for a comment or an empty line."""
    raw = "" if line.startswith("#") else line.strip(_SPACE)
    if not raw:
        return None
    keeps = raw.startswith("!")
    text = raw[1:].strip(_SPACE) if keeps else raw
    if text:
        text = _clean(text)
        text = text[1:] if len(text) > 1 and text.startswith("/") else text
    # ignorefile has parsed the line up to here; patternmatcher parses the result again.
    text = _clean(("!" * keeps + text).strip(_SPACE))
    keeps = text.startswith("!")
    text = text.removeprefix("!")
    if not text or not _is_well_formed(text):
        raise _bad(raw, number, path)
    return _Pattern(number, raw, keeps, text, _compiled(text))


def _bad(raw: str, line: int, path: str) -> ArtifactError:
    return ArtifactError(
        f"{path}, line {line}: {quoted(raw)} is not a pattern that docker build accepts; correct "
        "it, or write a backslash before a literal bracket."
    )


def _clean(path: str) -> str:
    """Go's filepath.Clean."""
    made = posixpath.normpath(path)
    return made[1:] if made.startswith("//") else made


def _is_well_formed(pattern: str) -> bool:
    """Whether Go's filepath.Match can compare the pattern with ``.``, which is docker's own test.

    filepath.Match reads the pattern in chunks between ``*`` and stops at the first mismatch.
    """
    chunk, rest = _chunk(pattern.lstrip("*"))
    matches_dot = _matches_dot(chunk)
    if matches_dot and rest:
        matches_dot = _matches_dot(_chunk(rest.lstrip("*"))[0])
    return matches_dot is not None


def _chunk(pattern: str) -> tuple[str, str]:
    """The pattern up to the next ``*`` outside brackets, and the rest."""
    place, in_class = 0, False
    while place < len(pattern) and (in_class or pattern[place] != "*"):
        in_class = pattern[place] == "[" or (in_class and pattern[place] != "]")
        place += 2 if pattern[place] == "\\" else 1
    return pattern[:place], pattern[place:]


def _matches_dot(chunk: str) -> bool | None:
    """Whether a chunk without ``*`` matches ``.``; None when the chunk is malformed."""
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
    """Whether the bracket that opens before ``place`` matches ``.``, and where the bracket ends."""
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
    """The regular expression that patternmatcher makes of a pattern; None if RE2 refuses it."""
    made, kind, place = "^", "exact", 0
    # Go's text/scanner skips a byte order mark at the beginning.
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
    """A function from a path to the indexes of all patterns that match the path."""
    import re2

    made = re2.Set.SearchSet(_options())
    known = [place for place, pattern in enumerate(patterns) if pattern.regex is not None]
    for place in known:
        made.Add(patterns[place].regex)
    always = made.Add("^")
    made.Compile()

    def matching(path: str) -> set[int]:
        found = set(made.Match(path))
        if always not in found:  # RE2 reports no match when it runs out of memory
            raise ArtifactError(
                "The patterns of .dockerignore are too many or too long to be compared with "
                f"{quoted(path)}; shorten the file."
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
