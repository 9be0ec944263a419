"""The Dockerfile, the ignore file and what is added to the context besides."""

import pytest
from manifest_engine.domain.archive import FROM_ARTIFACT, STANDARD
from manifest_engine.domain.errors import ArtifactError

from tests.unit.domain.archives import archive, contents, parts, untarred
from tests.unit.domain.zip_bytes import Part


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
