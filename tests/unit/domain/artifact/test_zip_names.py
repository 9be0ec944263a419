"""Names with and without the UTF-8 flag, with Info-ZIP's extra field, and from Windows."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.artifact.member_paths import member_error

from tests.unit.domain.artifact.archives import LIMITS, archive
from tests.unit.domain.artifact.zip_bytes import Part

NAME = "data/gr\u00f6\u00dfe.txt"
UTF8, OEM = NAME.encode(), NAME.encode("cp437")
OTHER = Part("app.py", b"x")


def unicode_path(replaced: bytes, name: bytes) -> bytes:
    """Info-ZIP's Unicode Path extra field (APPNOTE.TXT 4.6.9)."""
    return struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(replaced)) + name


@pytest.mark.parametrize(
    ("part", "guess"),
    [
        (Part(UTF8, b"x", utf8=True), None),
        (Part(UTF8, b"x", utf8=False), "UTF-8"),
        (Part(OEM, b"x", utf8=False), "code page 437"),
        (Part(OEM, b"x", utf8=False, extra=unicode_path(OEM, UTF8)), None),
        (Part(b"data/gr__e.txt", b"x", extra=unicode_path(b"data/gr__e.txt", UTF8)), None),
        (Part(OEM, b"x", utf8=False, extra=unicode_path(b"else", b"y")), "code page 437"),
        (
            Part(
                OEM,
                b"x",
                utf8=False,
                extra=struct.pack("<HH2x", 0x9999, 2) + unicode_path(OEM, UTF8),
            ),
            None,
        ),
    ],
    ids=[
        "flag",
        "UTF-8",
        "OEM",
        "field",
        "field of an ASCII name",
        "field of another name",
        "second field",
    ],
)
def test_a_name_is_decoded_as_the_packer_encoded_the_name(part: Part, guess: str | None) -> None:
    made = archive(OTHER, part)

    assert made.members == ("app.py", NAME)
    message = f"The ZIP's name {NAME!r} has no declared encoding and was read as {guess}."
    assert made.notes == ([message] if guess else [])


def test_a_guess_gets_one_note_for_all_names() -> None:
    names = [f"data/gr\u00f6\u00dfe{n}".encode() for n in range(3)]
    made = archive(OTHER, *(Part(name, b"x", utf8=False) for name in names))

    assert len(made.notes) == 1
    assert made.notes[0].endswith("was read as UTF-8 (and 2 more).")


def test_backslashes_of_a_windows_packer_separate_folders() -> None:
    made = archive(
        Part("scripts\\", system=0),
        Part("scripts\\Dockerfile", b"FROM x", system=0),
        Part("app.py", b"x", system=0),
    )

    assert made.members == ("app.py", "scripts/Dockerfile")
    assert made.dockerfile(b"") == b"FROM x"
    assert made.notes == ["The ZIP's name 'scripts/' had backslashes between folders (and 1 more)."]


def test_members_are_found_by_their_raw_name() -> None:
    made = archive(OTHER, Part(UTF8, b"right", utf8=False))

    assert b"right" in b"".join(made.tar_stream())


@pytest.mark.parametrize("name", ["\u202etxt", "\U0001f600", "a b", "10:30", "-rf", "...", "$HOME"])
def test_a_name_that_linux_allows_is_kept_and_escaped_in_messages(name: str) -> None:
    assert archive(OTHER, Part(f"odd/{name}", b"x")).members[-1] == f"odd/{name}"
    assert "\u202e" not in str(member_error(name, ""))


def test_names_from_zipfile_are_not_guessed() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr(NAME, "x")

    assert open_archive(made, LIMITS).notes == []
