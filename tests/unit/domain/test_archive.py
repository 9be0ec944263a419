"""The build context of an artifact: what is in it, and that it depends on the content alone."""

import io
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from manifest_engine.domain.archive import FROM_ARTIFACT, STANDARD, Archive, open_archive
from manifest_engine.domain.context import SOURCE_DATE_EPOCH, context_digest
from manifest_engine.domain.environments import Limits
from manifest_engine.domain.errors import ArtifactError

from tests.unit.domain.zip_bytes import Part, make_zip

LIMITS = Limits()
LIMITS_OFF = Limits(ratio=10_000)
SERVICE = {
    "app.py": b"print('here')\n" * 300,
    "empty": b"",
    "scripts/run.sh": b"#!/bin/sh\n",
    "src/a/b/c.py": b"c = 1\n",
    "src/a.py": b"a = 1\n",
    "src-old/a.py": b"a = 0\n",
    "data/große Datei ✓.txt": "grüße".encode(),
    "data/" + "deep/" * 30 + "long-" * 30 + "name.txt": b"far",
}


def archive(*parts: Part) -> Archive:
    return open_archive(io.BytesIO(make_zip(*parts)), LIMITS)


def parts(files: dict[str, bytes], prefix: str = "") -> list[Part]:
    return [Part(prefix + path, content) for path, content in files.items()]


def untarred(blocks: Iterable[bytes]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
        return {member.name: member for member in tar.getmembers()}


def contents(blocks: Iterable[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        return {member.name: tar.extractfile(member).read() for member in files}


def test_the_context_has_every_file_as_it_is_in_the_zip():
    made = archive(*parts(SERVICE))

    assert contents(made.tar_stream()) == SERVICE
    assert made.members == tuple(sorted(SERVICE))
    assert made.size == sum(len(content) for content in SERVICE.values())


def test_files_are_made_by_zipfile_and_by_its_streaming_mode_as_well():
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.written = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, block) -> int:
            self.written += block
            return len(block)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:  # with data descriptors
        for path, content in SERVICE.items():
            out.writestr(path, content)

    assert contents(open_archive(io.BytesIO(pipe.written), LIMITS).tar_stream()) == SERVICE


def test_a_zip64_with_a_comment_and_bytes_before_it_is_read():
    stream = io.BytesIO(b"#!/bin/sh\n")
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as out:
        out.comment = b"made by hand"
        with out.open("app.py", "w", force_zip64=True) as file:
            file.write(b"print()")

    assert contents(open_archive(stream, LIMITS).tar_stream()) == {"app.py": b"print()"}


def test_owners_times_and_modes_are_normalised():
    made = archive(
        Part("app.py", b"x", mode=stat.S_IFREG | 0o600, date=0x5A21),
        Part("run", b"x", mode=stat.S_IFREG | stat.S_ISUID | 0o711),
        Part("bin/", mode=stat.S_IFDIR | 0o1777),
        Part("windows.sh", b"x", system=0),
    )
    found = untarred(made.tar_stream())

    assert {name: oct(entry.mode) for name, entry in found.items()} == {
        "app.py": "0o644",
        "run": "0o755",
        "bin": "0o755",
        "windows.sh": "0o644",
    }
    for entry in found.values():
        assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "", "")
        assert entry.mtime == SOURCE_DATE_EPOCH


def test_folders_come_before_their_content_and_everything_is_sorted():
    made = archive(Part("z/y/x.py", b"1"), Part("a.py", b"2"), Part("m/"), Part("z/b.py", b"3"))

    assert list(untarred(made.tar_stream())) == ["m", "z", "z/y", "a.py", "z/b.py", "z/y/x.py"]


def test_the_same_content_gives_the_same_bytes_however_it_is_packed():
    expected = context_digest(archive(*parts(SERVICE)).tar_stream())
    chance = random.Random(8002)
    for _ in range(20):
        packed = parts(SERVICE, prefix=chance.choice(["", "./", "quote-service-1.4.0/"]))
        packed += parts({"__MACOSX/._app.py": b"fork"}) * chance.randint(0, 1)
        for part in packed:
            part.deflate = chance.random() < 0.5
            part.date = chance.randint(0x21, 0x5A21)
            part.mode = chance.choice([0, stat.S_IFREG | 0o644, stat.S_IFREG | 0o600])
        folders = {part.name.rpartition("/")[0] + "/" for part in packed if "/" in part.name}
        packed += [Part(name) for name in folders if chance.random() < 0.5]
        chance.shuffle(packed)

        assert context_digest(archive(*packed).tar_stream()) == expected


@pytest.mark.parametrize(
    "changed",
    [
        [Part("app.py", b"2"), Part("run", b"")],
        [Part("app.py", b"1"), Part("run2", b"")],
        [Part("app.py", b"1"), Part("run", b"", mode=0o755)],
        [Part("app.py", b"1"), Part("run", b""), Part("data/")],
    ],
    ids=["content", "name", "executable", "empty folder"],
)
def test_other_content_gives_another_digest(changed):
    first = archive(Part("app.py", b"1"), Part("run", b""))

    assert context_digest(archive(*changed).tar_stream()) != context_digest(first.tar_stream())


def test_the_bytes_of_the_context_are_fixed():
    """A change here gives every service a new image: make it on purpose only."""
    assert (
        context_digest(archive(*parts(SERVICE)).tar_stream({"Dockerfile": b"FROM scratch\n"}))
        == "sha256:04487e8eb1ca1fc937f46db014bad351794a752aae0b0a168ac90ada70358c89"
    )


def test_the_stream_can_be_had_twice():
    made = archive(*parts(SERVICE))

    assert list(made.tar_stream()) == list(made.tar_stream())


@pytest.mark.parametrize("junk", ["__MACOSX/wrap/._app.py", ".DS_Store", "wrap/.DS_Store"])
def test_a_single_folder_around_everything_is_looked_through(junk):
    made = archive(Part("wrap/"), Part("wrap/app.py"), Part("wrap/src/a.py"), Part(junk, b"x"))

    assert made.members == ("app.py", "src/a.py")


@pytest.mark.parametrize(
    "beside", [Part("README.md"), Part("docs/"), Part("wrapper/a.py")], ids=["file", "folder", "2"]
)
def test_a_folder_with_something_beside_it_is_no_wrapper(beside):
    assert "wrap/app.py" in archive(Part("wrap/app.py"), beside).members


def test_only_one_folder_is_looked_through():
    assert archive(Part("a/b/app.py")).members == ("b/app.py",)


def test_a_root_with_scripts_alone_is_the_root():
    assert archive(Part("scripts/Dockerfile"), Part("scripts/app.py")).members == (
        "scripts/Dockerfile",
        "scripts/app.py",
    )


def test_the_zips_own_dockerfile_wins_also_inside_a_wrapper():
    made = archive(Part("w/scripts/Dockerfile", b"FROM mine\n", deflate=True), Part("w/app.py"))

    assert made.dockerfile(b"FROM standard\n") == (b"FROM mine\n", FROM_ARTIFACT)


def test_without_one_the_standard_dockerfile_is_taken():
    made = archive(Part("Dockerfile", b"FROM elsewhere\n"), Part("app.py"))

    assert made.dockerfile(b"FROM standard\n") == (b"FROM standard\n", STANDARD)


def test_an_absurd_dockerfile_is_not_read_into_memory():
    made = archive(Part("scripts/Dockerfile", bytes(2 << 20)))

    with pytest.raises(ArtifactError, match="too many for a Dockerfile"):
        made.dockerfile(b"")


def test_extra_files_are_added_with_their_folders_and_replace_the_zips():
    made = archive(Part("app.py", b"1", mode=0o755), Part("old", b"2"))
    blocks = list(made.tar_stream({"app.py": b"new", "scripts/Dockerfile": b"FROM x"}))

    assert contents(blocks) == {"app.py": b"new", "old": b"2", "scripts/Dockerfile": b"FROM x"}
    assert untarred(blocks)["scripts"].isdir()
    assert untarred(blocks)["app.py"].mode == 0o644


def test_an_extra_file_that_has_no_place_is_refused_at_once():
    made = archive(Part("scripts", b"a file"))

    with pytest.raises(ArtifactError, match="a file and a folder at once"):
        made.tar_stream({"scripts/Dockerfile": b"FROM x"})


def test_what_is_ignored_stays_out_of_the_context_but_never_the_dockerfile():
    files = {"scripts/Dockerfile": b"FROM x", "secret": b"1", "src/a.py": b"2", "src/b.py": b"3"}
    made = archive(Part("empty/", b""), *parts(files))
    ignored = ["empty", "scripts", "scripts/Dockerfile", "secret", "src", "src/b.py"]
    blocks = list(made.tar_stream({"secret": b"extra"}, ignored.__contains__))

    kept = {"scripts/Dockerfile": b"FROM x", "secret": b"extra", "src/a.py": b"2"}
    assert contents(blocks) == kept
    assert "empty" not in untarred(blocks)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a": b""}, None),
        ({"src/.dockerignore": b"x"}, None),
        ({".dockerignore": b"x"}, (b"x", ".dockerignore")),
        (
            {".dockerignore": b"x", "scripts/Dockerfile.dockerignore": b"y"},
            (b"y", "scripts/Dockerfile.dockerignore"),
        ),
    ],
)
def test_the_dockerfile_s_own_ignore_file_goes_before_that_of_the_root(files, found):
    assert archive(Part("app.py"), *parts(files)).ignore_file() == found


def test_a_huge_member_is_streamed_in_little_memory(tmp_path: Path):
    """An eighth of a gigabyte of zeros, stored: a sparse file that takes no room."""
    size = 128 << 20
    whole = make_zip(Part("zeros", size=size, packed_size=size, crc=_crc_of_zeros(size)))
    directory = whole.index(b"PK\x01\x02")
    moved = bytearray(whole[directory:])
    struct.pack_into("<I", moved, len(moved) - 6, directory + size)
    path = tmp_path / "big.zip"
    with path.open("wb") as file:
        file.write(whole[:directory])
        file.seek(directory + size)
        file.write(moved)

    tracemalloc.start()
    with path.open("rb") as file:
        streamed = sum(len(block) for block in open_archive(file, LIMITS).tar_stream())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert streamed > size
    assert peak < 8 << 20


def test_a_bomb_within_the_limits_is_streamed_in_little_memory():
    made = io.BytesIO(make_zip(Part("zeros", bytes(32 << 20), deflate=True)))

    tracemalloc.start()
    blocks = open_archive(made, LIMITS_OFF).tar_stream()
    streamed = sum(len(block) for block in blocks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert streamed > 32 << 20
    assert peak < 8 << 20


def test_a_content_that_ends_just_after_a_block_is_read_to_its_end():
    """zlib may have taken all input and hold back output still."""
    for more in range(0, 300, 7):
        content = bytes((1 << 20) + more)
        made = open_archive(io.BytesIO(make_zip(Part("a", content, deflate=True))), LIMITS_OFF)

        assert contents(made.tar_stream())["a"] == content


def test_a_directory_of_a_million_entries_is_refused_before_it_fills_the_memory():
    many = b"PK\x01\x02".ljust(46, b"\0") * 1_000_000
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 0xFFFE, 0xFFFE, len(many), 0, 0)
    file = io.BytesIO(many + end)

    tracemalloc.start()
    with pytest.raises(ArtifactError, match="more than 100000 members"):
        open_archive(file, LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100 << 20


def _crc_of_zeros(size: int) -> int:
    block, crc = bytes(16 << 20), 0
    for _ in range(size // len(block)):
        crc = zlib.crc32(block, crc)
    return crc
