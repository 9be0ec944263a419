"""The build context of an artifact has the files of the ZIP and depends on them alone."""

import hashlib
import io
import random
import stat
import tarfile
import zipfile
from datetime import UTC, datetime

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.artifact.context import SOURCE_DATE_EPOCH

from tests.unit.domain.artifact.archives import LIMITS, SERVICE, archive, contents, parts, untarred
from tests.unit.domain.artifact.zip_bytes import Part


def digest(blocks):
    return hashlib.sha256(b"".join(blocks)).hexdigest()


def test_the_context_has_every_file_of_the_zip():
    made = archive(*parts(SERVICE))

    assert contents(made.tar_stream()) == SERVICE
    assert made.members == tuple(sorted(SERVICE))
    assert made.size == sum(len(content) for content in SERVICE.values())


def test_a_zip_from_the_streaming_mode_of_zipfile_is_read():
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


def test_owners_and_modes_are_normalised():
    made = archive(
        Part("app.py", b"x", mode=stat.S_IFREG | 0o600),
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


def test_files_keep_the_time_of_the_zip_and_folders_do_not():
    parts = [Part("a/app.py", b"x", date=0x5A21), Part("a/", date=0x5A21), Part("b", b"")]
    made = archive(*parts)
    found = untarred(made.tar_stream({"Dockerfile": b"FROM x"}))

    moment = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    assert found["a/app.py"].mtime == moment
    assert found["a"].mtime == found["Dockerfile"].mtime == SOURCE_DATE_EPOCH


def test_sorted_folders_come_before_sorted_files():
    made = archive(Part("z/y/x.py", b"1"), Part("a.py", b"2"), Part("m/"), Part("z/b.py", b"3"))

    assert list(untarred(made.tar_stream())) == ["m", "z", "z/y", "a.py", "z/b.py", "z/y/x.py"]


@pytest.mark.parametrize(
    "name",
    ["a.py", "gr\u00f6\u00dfe/a", "gr\u00f6\u00dfe", "f" * 101, "d" * 100 + "/a", "d" * 99 + "/a"],
)
def test_the_first_512_bytes_are_always_a_plain_header(name):
    """buildx recognises a tar by these bytes (build/utils.go, isArchive)."""
    made = archive(Part(name, b"x"), Part("zz", b"y"))
    first = tarfile.TarInfo.frombuf(b"".join(made.tar_stream())[:512], "utf-8", "strict")

    assert first.type in (tarfile.DIRTYPE, tarfile.REGTYPE)
    assert contents(made.tar_stream()) == {name: b"x", "zz": b"y"}


def test_the_same_content_gives_the_same_bytes_with_any_packing():
    expected = digest(archive(*parts(SERVICE)).tar_stream())
    chance = random.Random(8002)
    for _ in range(20):
        packed = parts(SERVICE, prefix=chance.choice(["", "./", "quote-service-1.4.0/"]))
        packed += parts({"__MACOSX/._app.py": b"fork"}) * chance.randint(0, 1)
        for part in packed:
            part.deflate = chance.random() < 0.5
            part.mode = chance.choice([0, stat.S_IFREG | 0o644, stat.S_IFREG | 0o600])
        folders = {part.name.rpartition("/")[0] + "/" for part in packed if "/" in part.name}
        packed += [Part(name) for name in folders if chance.random() < 0.5]
        chance.shuffle(packed)

        assert digest(archive(*packed).tar_stream()) == expected


@pytest.mark.parametrize(
    "changed",
    [
        [Part("app.py", b"2"), Part("run", b"")],
        [Part("app.py", b"1"), Part("run2", b"")],
        [Part("app.py", b"1"), Part("run", b"", mode=0o755)],
        [Part("app.py", b"1"), Part("run", b""), Part("data/")],
        [Part("app.py", b"1", date=0x22), Part("run", b"")],
    ],
    ids=["content", "name", "executable", "empty folder", "time"],
)
def test_other_content_gives_another_digest(changed):
    first = archive(Part("app.py", b"1"), Part("run", b""))

    assert digest(archive(*changed).tar_stream()) != digest(first.tar_stream())


def test_the_bytes_of_the_context_are_fixed():
    """A change of these bytes gives every service a new image."""
    assert (
        digest(archive(*parts(SERVICE)).tar_stream({"Dockerfile": b"FROM scratch\n"}))
        == "04487e8eb1ca1fc937f46db014bad351794a752aae0b0a168ac90ada70358c89"
    )


def test_the_stream_can_be_read_twice():
    made = archive(*parts(SERVICE))

    assert list(made.tar_stream()) == list(made.tar_stream())


@pytest.mark.parametrize(
    "junk",
    [
        "__MACOSX/wrap/._app.py",
        "__MACOSX/._wrap",
        ".DS_Store",
        "wrap/.DS_Store",
        "._wrap",
        "wrap/._app.py",
        "wrap/src/._a.py",
    ],
)
def test_a_single_wrapping_folder_is_removed(junk):
    made = archive(Part("wrap/"), Part("wrap/app.py"), Part("wrap/src/a.py"), Part(junk, b"x"))

    assert made.members == ("app.py", "src/a.py")


def test_an_appledouble_name_without_its_file_is_kept():
    assert archive(Part("._app.py"), Part("src/._b.py"), Part("b.py")).members == (
        "._app.py",
        "b.py",
        "src/._b.py",
    )


@pytest.mark.parametrize(
    "beside", [Part("README.md"), Part("docs/"), Part("wrapper/a.py")], ids=["file", "folder", "2"]
)
def test_a_folder_beside_other_members_is_not_removed(beside):
    assert "wrap/app.py" in archive(Part("wrap/app.py"), beside).members


def test_only_one_wrapping_folder_is_removed():
    assert archive(Part("a/b/app.py")).members == ("b/app.py",)


def test_a_scripts_folder_with_the_dockerfile_is_not_removed():
    assert archive(Part("scripts/Dockerfile"), Part("scripts/app.py")).members == (
        "scripts/Dockerfile",
        "scripts/app.py",
    )
