"""ZIPs that are refused. A user could upload each of them."""

from __future__ import annotations

import io
import stat
import struct
import zlib

import pytest
from manifest_engine.domain.artifact.archive import Archive, open_archive
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.environment.environment import Limits

from tests.unit.domain.artifact.zip_bytes import Part, make_zip

LIMITS = Limits(totalMebibytes=64, members=1000, ratio=100)
GOOD = Part("app.py", b"print('here')\n", deflate=True)


def opened(*parts: Part, limits: Limits = LIMITS) -> Archive:
    return open_archive(io.BytesIO(make_zip(*parts)), limits)


def refusal(*parts: Part, limits: Limits = LIMITS) -> str:
    """The sentence that refuses the ZIP before any byte of its content is passed on."""
    with pytest.raises(ArtifactError) as caught:
        opened(*parts, limits=limits)
    assert not caught.value.retryable
    return str(caught.value)


def late_refusal(*parts: Part) -> str:
    """The sentence that refuses the ZIP while its content is read."""
    archive = opened(*parts)
    with pytest.raises(ArtifactError) as caught:
        list(archive.tar_stream())
    assert not caught.value.retryable
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "absolute path"),
        ("C:/Windows/x", "absolute path"),
        ("c:x", "absolute path"),
        ("../x", "leads out of the ZIP's root"),
        ("a/../../x", "leads out of the ZIP's root"),
        ("a/..", "leads out of the ZIP's root"),
        ("..\\x", "backslash"),
        ("\\\\server\\share", "backslash"),
        ("a\nb", "control character"),
        ("app.py\0.txt", "control character"),
        ("a/" + "x" * 256, "longer name than Linux allows"),
        ("/".join(["x" * 200] * 21), "longer name than Linux allows"),
        (".", "without a name"),
    ],
)
def test_an_unsafe_name_is_refused(name: str, why: str) -> None:
    sentence = refusal(GOOD, Part(name, b"x"))

    assert why in sentence
    assert repr(name)[:60] in sentence
    assert "\n" not in sentence


def test_the_path_of_a_folder_is_checked_as_well() -> None:
    assert "'../out/'" in refusal(GOOD, Part("../out/"))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFIFO, "device, pipe or socket"),
        (stat.S_IFCHR, "device, pipe or socket"),
        (stat.S_IFBLK, "device, pipe or socket"),
        (stat.S_IFSOCK, "device, pipe or socket"),
        (stat.S_IFDIR, "its name does not end in '/'"),
    ],
)
def test_only_files_and_folders_are_allowed(kind: int, why: str) -> None:
    assert why in refusal(GOOD, Part("odd", b"/etc/passwd", mode=kind | 0o777))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO])
def test_ignored_members_may_be_links_or_differ_by_case(kind: int) -> None:
    ignore = Part(".dockerignore", b".venv\nnode_modules\n")
    link = Part(".venv/bin/python", b"/usr/bin/python3", mode=kind | 0o777)
    twins = (Part("node_modules/a/README.md", b"1"), Part("node_modules/a/Readme.md", b"2"))

    opened(GOOD, ignore, link, *twins)
    assert "'.venv/bin/python' is a" in refusal(GOOD, link)
    assert "differ only by case" in refusal(GOOD, *twins)


@pytest.mark.parametrize("path", [".dockerignore", "scripts/Dockerfile"])
def test_a_file_that_the_build_reads_must_not_be_a_link(path: str) -> None:
    link = Part(path, b"../x", mode=stat.S_IFLNK | 0o777)

    assert f"{path!r} is a symbolic link; replace it by the file itself" in refusal(GOOD, link)


@pytest.mark.parametrize("name", ["service.zip", "w/service-1.0.ZIP", "service.tar.gz"])
def test_a_zip_with_only_another_archive_is_refused(name: str) -> None:
    sentence = refusal(Part(name, b"PK"), Part("__MACOSX/._x", b"x"))

    assert f"contains another archive, '{name.rpartition('/')[2]}', and nothing else" in sentence


def test_an_invalid_ignore_pattern_is_refused_at_once() -> None:
    sentence = refusal(GOOD, Part(".dockerignore", b"*.md\n[z-a]*\n"))

    assert sentence.startswith(".dockerignore, line 2: '[z-a]*' is not a pattern that docker build")


def test_a_link_is_refused_with_any_creator_system() -> None:
    assert "symbolic link" in refusal(Part("odd", b"x", mode=stat.S_IFLNK | 0o777, system=0))


def test_a_folder_with_content_is_refused() -> None:
    assert "folder with content" in refusal(GOOD, Part("data/", b"x"))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("app.py", "app.py", "is in the ZIP twice"),
        ("a", "a", "is in the ZIP twice"),
        ("app.py", "./app.py", "is in the ZIP twice"),
        ("src/app.py", "src//app.py", "is in the ZIP twice"),
        ("app.py", "App.py", "differ only by case"),
        ("src/app.py", "SRC/App.py", "differ only by case"),
        ("caf\u00e9.txt", "cafe\u0301.txt", "Unicode form"),
        ("\u00c9.txt", "e\u0301.txt", "Unicode form"),
        ("src", "src/app.py", "a file and a folder at once"),
        ("src/app.py", "src", "a file and a folder at once"),
    ],
)
def test_two_members_must_not_be_one_file(first: str, second: str, why: str) -> None:
    assert why in refusal(Part(first, b"1"), Part(second, b"2"))


@pytest.mark.parametrize("flag", [0x1, 0x40 | 0x1, 0x2000])
def test_an_encrypted_member_is_refused(flag: int) -> None:
    assert "without a password" in refusal(Part("app.py", b"secret", flags=flag))


@pytest.mark.parametrize(
    ("method", "called"), [(12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "method 77")]
)
def test_compression_other_than_deflate_is_refused(method: int, called: str) -> None:
    assert called in refusal(Part("app.py", b"x" * 50, method=method))


def test_a_bomb_is_refused_by_its_ratio() -> None:
    sentence = refusal(Part("zeros", bytes(3 << 20), deflate=True))

    assert "'zeros' unpacks to 3145728 bytes from" in sentence
    assert "limit ratio is 100" in sentence


def test_a_small_member_may_have_any_ratio() -> None:
    assert opened(Part("zeros", bytes(1 << 20), deflate=True)).size == 1 << 20


def test_the_unpacked_size_is_limited() -> None:
    sentence = refusal(Part("a", bytes(1 << 20)), Part("b", b"x"), limits=Limits(totalMebibytes=1))

    assert "limit totalMebibytes is 1" in sentence


def test_the_number_of_members_is_limited() -> None:
    sentence = refusal(*(Part(f"{n}/") for n in range(4)), limits=Limits(members=3))

    assert "more than 3 members" in sentence
    assert "leave out what the service does not need" in sentence


def test_members_that_share_bytes_are_refused() -> None:
    """As in the bomb of David Fifield, 2019: many entries over one kernel of data."""
    assert "overlaps with another member" in refusal(GOOD, Part("app2.py", b"print()", offset=0))


def test_a_local_header_that_overlaps_the_next_member_is_refused() -> None:
    content = bytearray(make_zip(Part("a", b"12345"), Part("b", b"67890")))
    struct.pack_into("<H", content, 28, 20)  # length of the first one's extra field

    with pytest.raises(ArtifactError, match="'a' has data that overlaps with another member"):
        list(open_archive(io.BytesIO(bytes(content)), LIMITS).tar_stream())


def test_a_member_beyond_the_end_of_the_file_is_refused() -> None:
    assert "reaches beyond the end of the file" in refusal(
        Part("app.py", b"x", packed_size=10**6, size=10**6)
    )


def test_a_stored_member_with_two_sizes_is_refused() -> None:
    assert "but has two sizes" in refusal(Part("app.py", b"12345", size=4))


def test_more_content_than_declared_is_refused_despite_a_valid_checksum() -> None:
    lying = Part("app.py", b"12345", deflate=True, size=2, crc=0x4F5344CD)  # CRC-32 of "12"

    assert "more than the declared 2 bytes" in late_refusal(lying)


def test_less_content_than_declared_is_refused() -> None:
    assert "has 5 bytes instead of the declared 9" in late_refusal(
        Part("app.py", b"12345", deflate=True, size=9)
    )


@pytest.mark.parametrize("deflate", [True, False])
def test_content_with_a_wrong_checksum_is_refused(deflate: bool) -> None:
    assert "CRC-32" in late_refusal(Part("app.py", b"12345", deflate=deflate, crc=1))


def test_bytes_after_the_compressed_data_are_refused() -> None:
    hidden = Part("app.py", b"12345", deflate=True, tail=b"hidden")

    assert "after the end of its compressed data" in late_refusal(hidden)


def test_bytes_after_the_compressed_data_are_refused_also_in_a_later_block() -> None:
    hidden = Part("app.py", b"12345", deflate=True, tail=bytes(3 << 20))

    assert "after the end of its compressed data" in late_refusal(hidden)


def test_bytes_after_the_compressed_data_are_refused_at_a_block_boundary() -> None:
    lengths = [0xFFFF] * 15 + [(1 << 20) - 15 * (0xFFFF + 5) - 5]
    packed = b"".join(  # stored blocks (RFC 1951, 3.2.4), in all exactly one read
        struct.pack("<BHH", number == 15, length, length ^ 0xFFFF) + bytes(length)
        for number, length in enumerate(lengths)
    )
    size = sum(lengths)
    hidden = Part("a", packed, method=8, size=size, crc=zlib.crc32(bytes(size)), tail=b"hidden")

    assert "after the end of its compressed data" in late_refusal(hidden)


def test_truncated_compressed_data_are_refused() -> None:
    cut = Part("app.py", bytes(range(256)), deflate=True)
    cut.packed_size = len(cut.packed) - 8

    assert "truncated compressed data" in late_refusal(cut)


def test_broken_compressed_data_are_refused() -> None:
    assert "invalid compressed data" in late_refusal(Part("a", b"\xff" * 20, method=8))


def test_another_name_in_the_local_header_is_refused() -> None:
    assert "another name in its local header" in late_refusal(
        Part("a.py", b"x", local_name=b"b.py")
    )


def test_a_missing_local_header_is_refused() -> None:
    content = make_zip(GOOD).replace(b"PK\x03\x04", b"XX\x03\x04")

    with pytest.raises(
        ArtifactError, match="no local header where the central directory points to"
    ):
        list(open_archive(io.BytesIO(content), LIMITS).tar_stream())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"<html>Sign in</html>" * 10,
        b"PK\x05\x06" + bytes(10),
        make_zip(GOOD)[:-30],
        make_zip(GOOD)[40:],
        make_zip(GOOD).replace(b"PK\x01\x02", b"PK\x01\x03"),
        make_zip(Part(b"\xff\xfe.py", b"x")),
    ],
    ids=["empty", "two bytes", "HTML", "end record", "cut", "headless", "directory", "name"],
)
def test_an_invalid_zip_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(ArtifactError) as caught:
        list(open_archive(io.BytesIO(content), LIMITS).tar_stream())

    assert "pack and upload it again" in str(caught.value) or "pack the ZIP" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("parts", [(), (Part("src/"),), (Part("__MACOSX/._a", b"x"),)])
def test_a_zip_without_files_is_refused(parts: tuple[Part, ...]) -> None:
    assert "contains no files" in refusal(*parts)


def test_a_read_error_of_the_store_is_retryable() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(ArtifactError, match=r"artifact store \(Input/output error\)") as caught:
        open_archive(Failing(make_zip(GOOD)), LIMITS)
    assert caught.value.retryable


def test_nested_folders_do_not_fill_the_memory() -> None:
    deep = [Part(f"{number}/" + "a/" * 2_000 + "x", b"") for number in range(100)]
    assert "is in too many nested folders; pack fewer folders" in refusal(*deep)


@pytest.mark.parametrize("char", ["\x84", "\x1b"])
def test_a_control_character_in_a_name_is_refused(char: str) -> None:
    assert "has a control character in its name" in refusal(Part(f"src/a{char}b.py", b"x"))
