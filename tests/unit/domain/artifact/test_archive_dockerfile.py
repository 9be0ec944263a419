"""The Dockerfile, the ignore file and the extra files of a build context."""

import io

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core.errors import ArtifactError

from tests.unit.domain.artifact.archives import LIMITS, archive, contents, parts, untarred
from tests.unit.domain.artifact.zip_bytes import Part, make_zip


def test_the_dockerfile_of_the_zip_is_used_also_in_a_wrapping_folder():
    made = archive(Part("w/scripts/Dockerfile", b"FROM mine\n", deflate=True), Part("w/app.py"))

    assert made.dockerfile(b"FROM standard\n") == b"FROM mine\n"
    assert made.dockerfile_path == "scripts/Dockerfile"


def test_without_a_dockerfile_in_the_zip_the_standard_one_is_used():
    made = archive(Part("app.py"))

    assert made.dockerfile(b"FROM standard\n") == b"FROM standard\n"
    assert made.dockerfile_path is None


def named(dockerfile: str, *given: Part):
    return open_archive(io.BytesIO(make_zip(*given)), LIMITS, dockerfile)


def test_the_dockerfile_that_the_manifest_names_is_used():
    files = {
        "scripts/Dockerfile": b"FROM other\n",
        "docker/Dockerfile.prod": b"FROM mine\n",
        "docker/Dockerfile.prod.dockerignore": b"docker\nscripts\n",
        "app.py": b"1",
    }
    made = named("docker/Dockerfile.prod", *parts(files))
    made.require_dockerfile()

    assert made.dockerfile(b"FROM standard\n") == b"FROM mine\n"
    assert made.dockerfile_path == "docker/Dockerfile.prod"
    assert contents(made.tar_stream()).keys() == {"docker/Dockerfile.prod", "app.py"}


def test_a_named_dockerfile_keeps_the_only_folder_of_the_zip():
    made = named("app/Dockerfile", Part("app/Dockerfile", b"FROM mine\n"), Part("app/a.py"))
    assert made.dockerfile(b"") == b"FROM mine\n"
    assert "app/a.py" in contents(made.tar_stream())

    made = named("Dockerfile", Part("app/Dockerfile", b"FROM mine\n"), Part("app/a.py"))
    assert made.dockerfile(b"") == b"FROM mine\n"
    assert "a.py" in contents(made.tar_stream())


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (("Docker/dockerfile", "a.py"), "it has 'Docker/dockerfile': correct the name"),
        (("x/y/Dockerfile.prod", "a.py"), "it has 'x/y/Dockerfile.prod': correct the name"),
        (("a.py",), "(the path is relative to the ZIP's root): add the file"),
    ],
)
def test_a_named_dockerfile_that_is_not_in_the_zip_is_refused(files, hint):
    made = named("docker/Dockerfile", *map(Part, files))
    for refuse in (made.require_dockerfile, lambda: made.dockerfile(b"FROM standard\n")):
        with pytest.raises(ArtifactError) as caught:
            refuse()
        assert "The manifest names the Dockerfile 'docker/Dockerfile', which is not in" in str(
            caught.value
        )
        assert hint in str(caught.value)
        assert not caught.value.retryable


def test_a_huge_dockerfile_is_not_read_into_memory():
    made = archive(Part("scripts/Dockerfile", bytes(2 << 20)))

    with pytest.raises(ArtifactError, match="too many for a Dockerfile"):
        made.dockerfile(b"")


def test_extra_files_are_added_with_folders_and_replace_files():
    made = archive(Part("app.py", b"1", mode=0o755), Part("old", b"2"))
    blocks = list(made.tar_stream({"app.py": b"new", "scripts/Dockerfile": b"FROM x"}))

    assert contents(blocks) == {"app.py": b"new", "old": b"2", "scripts/Dockerfile": b"FROM x"}
    assert untarred(blocks)["scripts"].isdir()
    assert untarred(blocks)["app.py"].mode == 0o644


def test_an_extra_file_with_a_conflicting_path_is_refused_at_once():
    made = archive(Part("scripts", b"a file"))

    with pytest.raises(ArtifactError, match="a file and a folder at once"):
        made.tar_stream({"scripts/Dockerfile": b"FROM x"})


def test_ignored_files_are_left_out_except_the_dockerfile():
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
def test_the_ignore_file_of_the_dockerfile_comes_first(files, path):
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
def test_a_misplaced_dockerfile_is_refused_with_the_right_name(name):
    made = archive(Part(name, b"FROM mine\n"), Part("lib/requirements.txt"), Part("src/a.py"))

    with pytest.raises(ArtifactError) as caught:
        made.require_dockerfile()
    assert f"The artifact has {name.removeprefix('./')!r}, which would not be used" in str(
        caught.value
    )
    assert "name this file in `dockerfile` of the manifest, or rename it to" in str(caught.value)
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
def test_an_unrelated_dockerfile_is_allowed(names):
    archive(*map(Part, names), Part("src/a.py")).require_dockerfile()


def test_an_ignored_dockerfile_is_allowed_anywhere():
    files = {".dockerignore": b"docker\n", "docker/Dockerfile": b"FROM x", "src/a.py": b""}

    archive(*parts(files)).require_dockerfile()


def test_a_windows_environment_beside_the_standard_dockerfile_is_allowed():
    """The folders Scripts and Lib differ from the service's folders by case; no file does."""
    files = {
        "Scripts/activate.bat": b"@echo off\r\n",
        "Lib/site-packages/x.py": b"",
        "lib/requirements.txt": b"flask\n",
        "src/a.py": b"",
    }
    made = archive(*parts(files))
    made.require_dockerfile()

    assert contents(made.tar_stream({"scripts/Dockerfile": b"F"})) == {
        **files,
        "scripts/Dockerfile": b"F",
    }


@pytest.mark.parametrize("name", ["docker/prod/Dockerfile", "Dockerfile.prod", "a/dockerfile.dev"])
def test_an_unused_dockerfile_gets_a_note(name):
    assert archive(Part(name), Part("x.py")).notes == [
        f"The standard Dockerfile is used; {name!r} is not."
    ]
    assert archive(Part(name), Part("scripts/Dockerfile")).notes == []
    assert archive(Part(f"{name}.dockerignore"), Part("x.py")).notes == []


def test_a_utf_16_ignore_file_gets_a_note():
    assert archive(Part("a")).notes == []
    made = archive(Part("a"), Part(".dockerignore", "a\r\n".encode("utf-16")))
    assert made.notes == [
        ".dockerignore is UTF-16, so no pattern in it matches, as with docker build; "
        "save it as UTF-8."
    ]
    assert "a" in contents(made.tar_stream())


def test_apple_double_files_beside_an_unlisted_wrapping_folder_are_junk():
    made = archive(Part("._svc", b"\0\5\x16\7"), Part("svc/scripts/Dockerfile", b"FROM x"))

    assert made.members == ("scripts/Dockerfile",)


def test_names_that_differ_by_case_may_be_ignored():
    files = {".dockerignore": b"old\n", "old/A.py": b"1", "old/a.py": b"2", "app.py": b"3"}

    assert "old/A.py" in archive(*parts(files)).members


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", True),
        ("./src/*", True),
        ("s*", True),
        ("src/b?.py", True),
        ("*.whl", False),
        ("*/c.py", False),
        ("b1.py", False),
        ("*.log", False),
    ],
)
def test_a_wildcard_of_copy_stays_in_its_folder_and_sees_no_ignored_file(pattern, found):
    files = {".dockerignore": b"*.log\n", "a.py": b"", "src/b1.py": b"", "x.log": b""}
    assert archive(*parts(files)).has_match(pattern) is found
