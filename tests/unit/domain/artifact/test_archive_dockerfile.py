"""The Dockerfile, the ignore file and what is added to the context besides."""

import pytest
from manifest_engine.domain.artifact.archive import FROM_ARTIFACT, STANDARD
from manifest_engine.domain.core.errors import ArtifactError

from tests.unit.domain.artifact.archives import archive, contents, parts, untarred
from tests.unit.domain.artifact.zip_bytes import Part


def test_the_zips_own_dockerfile_wins_also_inside_a_wrapper():
    made = archive(Part("w/scripts/Dockerfile", b"FROM mine\n", deflate=True), Part("w/app.py"))

    assert made.dockerfile(b"FROM standard\n") == (b"FROM mine\n", FROM_ARTIFACT)


def test_without_one_the_standard_dockerfile_is_taken():
    made = archive(Part("app.py"))

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
    files = {
        ".dockerignore": b"empty\nscripts\nsecret\nsrc/b.py\nout/*\n",
        "scripts/Dockerfile": b"FROM x",
        "scripts/run.sh": b"0",
        "secret": b"1",
        "src/a.py": b"2",
        "src/b.py": b"3",
        "out/x": b"4",
    }
    made = archive(Part("empty/", b""), *parts(files))
    blocks = list(made.tar_stream({"secret": b"extra"}))

    assert contents(blocks) == {
        ".dockerignore": files[".dockerignore"],
        "scripts/Dockerfile": b"FROM x",
        "secret": b"extra",
        "src/a.py": b"2",
    }
    assert [name for name, entry in untarred(blocks).items() if entry.isdir()] == [
        "out",
        "scripts",
        "src",
    ]


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"a": b""}, None),
        ({"src/.dockerignore": b"x"}, None),
        ({".dockerignore": b"x"}, ".dockerignore"),
        (
            {".dockerignore": b"x", "scripts/Dockerfile.dockerignore": b"y"},
            "scripts/Dockerfile.dockerignore",
        ),
    ],
)
def test_the_dockerfile_s_own_ignore_file_goes_before_that_of_the_root(files, path):
    made = archive(Part("x"), Part("y"), *parts(files))

    assert made.ignore_path == path
    left_out = {"x", "y"} - contents(made.tar_stream()).keys()
    assert left_out == ({files[path].decode()} if path else set())


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile",
        "dockerfile",
        "./Dockerfile",
        "Scripts/Dockerfile",
        "scripts/dockerfile",
        "scripts/Dockerfile.txt",
        "SCRIPTS/DOCKERFILE",
        "docker/Dockerfile",
        "scripts/Containerfile",
    ],
)
def test_a_dockerfile_in_another_place_is_refused_with_what_to_rename(name):
    made = archive(Part(name, b"FROM mine\n"), Part("lib/requirements.txt"), Part("src/a.py"))

    with pytest.raises(ArtifactError) as caught:
        made.refuse_misplaced_dockerfile()
    assert f"The artifact has {name.removeprefix('./')!r}, which would not be used" in str(
        caught.value
    )
    assert "rename it to scripts/Dockerfile" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "names",
    [
        ("scripts/Dockerfile", "Dockerfile", "scripts/dockerfile.old"),
        ("Scripts/activate.bat",),
        (".devcontainer/Dockerfile",),
        ("src/vendored/thing/Dockerfile",),
        ("scripts/dockerfile_lint.py",),
    ],
)
def test_a_dockerfile_that_nobody_builds_the_service_with_is_none_of_ours(names):
    archive(*map(Part, names), Part("src/a.py")).refuse_misplaced_dockerfile()


def test_a_dockerfile_that_is_ignored_may_lie_anywhere():
    files = {".dockerignore": b"docker\n", "docker/Dockerfile": b"FROM x", "src/a.py": b""}

    archive(*parts(files)).refuse_misplaced_dockerfile()


def test_a_windows_environment_beside_the_standard_dockerfile_is_built_as_it_is():
    """Its folders Scripts and Lib differ from ours by case alone, and no file of theirs does."""
    files = {
        "Scripts/activate.bat": b"@echo off\r\n",
        "Lib/site-packages/x.py": b"",
        "lib/requirements.txt": b"flask\n",
        "src/a.py": b"",
    }
    made = archive(*parts(files))
    made.refuse_misplaced_dockerfile()

    assert contents(made.tar_stream({"scripts/Dockerfile": b"F"})) == {
        **files,
        "scripts/Dockerfile": b"F",
    }


@pytest.mark.parametrize("name", ["docker/prod/Dockerfile", "Dockerfile.prod", "a/dockerfile.dev"])
def test_a_dockerfile_that_may_be_meant_is_a_note(name):
    assert archive(Part(name), Part("x.py")).notes == [
        f"The standard Dockerfile is used; {name!r} is not."
    ]
    assert archive(Part(name), Part("scripts/Dockerfile")).notes == []
    assert archive(Part(f"{name}.dockerignore"), Part("x.py")).notes == []


def test_what_is_probably_not_meant_is_a_note():
    assert archive(Part("a")).notes == []
    made = archive(Part("a"), Part(".dockerignore", "a\r\n".encode("utf-16")))
    assert made.notes == [
        ".dockerignore is UTF-16, so no pattern in it matches, as with docker build; "
        "save it as UTF-8."
    ]
    assert "a" in contents(made.tar_stream())
