"""Builds and pushes with a real engine and registry: new, reused and refused images."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import (
    ArtifactError,
    BuildError,
    ConfigurationError,
    ManifestError,
    RegistryError,
    StateError,
)
from manifest_engine.hooks.builder import buildx_run
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.image.push_image import PushImage
from manifest_engine.services.build import build_source

from sandbox.engine import docker_cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.image.conftest import Service


def test_a_zip_becomes_an_image_in_the_registry(service: Service) -> None:
    built, pushed = service.ship(service.zip())
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.digest == pushed["digest"]
    assert found.config_digest == built["image_id"]
    assert pushed["pushed"]
    assert pushed["image"].endswith(f"/datafactory/tests/{service.name}@{found.digest}")
    assert found.labels["io.manifest-engine.input"] == built["input"]


def test_an_image_in_the_registry_is_neither_built_nor_pushed_again(service: Service) -> None:
    artifact = service.zip()
    _, first = service.ship(artifact)
    built, second = service.ship(artifact)
    assert built["reused"]
    assert not second["pushed"]
    assert built["digest"] == second["digest"] == first["digest"]


def test_a_version_keeps_its_image_when_the_standard_dockerfile_changes(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = service.zip()
    _, first = service.ship(artifact)
    assert not [line for line in service.log if "with an earlier standard Dockerfile" in line]
    changed = tmp_path / "Dockerfile"
    changed.write_text(build_source.STANDARD_DOCKERFILE.read_text() + "LABEL changed=yes\n")
    monkeypatch.setattr(build_source, "STANDARD_DOCKERFILE", changed)
    built, second = service.ship(artifact)
    assert built["reused"]
    assert second["digest"] == first["digest"]
    assert [line for line in service.log if "with an earlier standard Dockerfile" in line]


def test_a_released_version_is_not_overwritten(service: Service) -> None:
    _, first = service.ship(service.zip())
    service.go_live(first)
    with pytest.raises(RegistryError, match="deploy this under a new version") as caught:
        service.build(service.zip(**{"src/extra.py": "changed = True\n"}))
    assert not caught.value.retryable
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.digest == first["digest"]


def test_a_version_that_was_never_live_is_built_again_from_another_zip(service: Service) -> None:
    _, failed = service.ship(service.zip())
    built, mended = service.ship(service.zip(**{"src/extra.py": "mended = True\n"}))
    assert built["replaces"] == failed["digest"]
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.digest == mended["digest"] != failed["digest"]
    with pytest.raises(StateError, match="built again from other content"):
        service.go_live(failed)
    service.go_live(mended)


def test_a_version_that_becomes_live_during_its_replacement_keeps_its_image(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = service.ship(service.zip())
    mended = service.build(service.zip(**{"src/extra.py": "mended = True\n"}))
    push = PushImage._push

    def meanwhile(step: PushImage, *what: Any) -> str:
        service.go_live(first)
        return push(step, *what)

    monkeypatch.setattr(PushImage, "_push", meanwhile)
    with pytest.raises(RegistryError, match="has become live meanwhile"):
        service.push(mended)
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.digest == first["digest"]


def test_a_code_change_does_not_run_pip_again(service: Service) -> None:
    service.own_packages = True
    service.ship(service.zip())
    assert service.ran_pip
    built, _ = service.ship(service.zip(**{"src/extra.py": "x = 1\n"}), version="1.0.1")
    assert not service.ran_pip
    assert built["steps"] - built["cached_steps"] <= 2, "FROM is not always called cached"


def test_the_next_builder_builds_when_the_first_is_down(
    service: Service, connections: Callable[..., None]
) -> None:
    connections("down", conn_type="docker", host="unix:///nowhere/docker.sock")
    built = service.build(service.zip(), builder="docker_default,down")
    assert built["builder"] == "docker_default"


def test_a_lack_of_builders_is_retryable(
    service: Service, connections: Callable[..., None]
) -> None:
    connections("down", conn_type="docker", host="unix:///nowhere/docker.sock")
    with pytest.raises(BuildError, match=r"'down' at unix:///nowhere/docker\.sock does not") as it:
        service.build(service.zip(), builder="down")
    assert it.value.retryable


def test_the_zip_s_own_dockerfile_wins(service: Service) -> None:
    own = 'FROM python:3.11\nLABEL own="yes"\nCOPY . /srv\n'
    service.ship(service.zip(**{"scripts/Dockerfile": own}))
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.labels["own"] == "yes"


@pytest.mark.parametrize("first", ["Gr\u00f6\u00dfe/a b.txt", "\U0001f600/x", f"{'A' * 120}/x"])
def test_names_arrive_unchanged(first: str, service: Service, run: Any) -> None:
    """``first`` is the first name of the context."""
    own = "FROM python:3.11\nENV LC_ALL=C.UTF-8\nCOPY . /srv\n"
    files = {"lib/requirements.txt": "", "scripts/Dockerfile": own, first: "x"}
    built = service.build(service.zip(**files))
    assert f"/srv/{first}" in run(built["image_id"], "find", "/srv", "-type", "f").splitlines()


def test_files_have_the_times_of_the_zip(service: Service, run: Any) -> None:
    def dated(times: dict[str, int]) -> dict[str, Any]:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as target:
            target.writestr("scripts/Dockerfile", "FROM python:3.11\nCOPY static /srv\n")
            for name, day in times.items():
                file = zipfile.ZipInfo(f"static/{name}", (2024, 2, day, 12, 0, 0))
                target.writestr(file, f"{service.name} {name} {day}")
        return service.keep(made.getvalue())

    def built(artifact: dict[str, Any], version: str) -> list[str]:
        image = service.build(artifact, version=version)["image_id"]
        return run(image, "stat", "-c", "%n %y", "/srv/a.css", "/srv/b.css").splitlines()

    first = built(dated({"a.css": 1, "b.css": 2}), "1.0.0")
    second = built(dated({"a.css": 1, "b.css": 3}), "1.1.0")

    assert [line[:30] for line in first] == [
        "/srv/a.css 2024-02-01 12:00:00",
        "/srv/b.css 2024-02-02 12:00:00",
    ]
    assert [line[:30] for line in second] == [first[0][:30], "/srv/b.css 2024-02-03 12:00:00"]


def test_a_dockerfile_error_names_the_line(service: Service) -> None:
    own = "FROM python:3.11\nRUN echo before && false\n"
    with pytest.raises(BuildError) as caught:
        service.build(service.zip(**{"scripts/Dockerfile": own}))
    assert "scripts/Dockerfile of the artifact, line 2 (RUN echo before && false)" in str(
        caught.value
    )
    assert str(caught.value).splitlines()[-1] == "  before"
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("instructions", "files", "sentence"),
    [
        (
            "COPY build.sh /\nRUN sh -c 'chmod +x /build.sh' && /build.sh",
            {"build.sh": "#!/bin/sh\r\necho hi\r\n"},
            "'build.sh' has Windows line ends",
        ),
        ("COPY secret.py /", {"secret.py": "", ".dockerignore": "secret*\n"}, "leaves it out"),
        (
            "RUN --mount=type=tmpfs,target=/t,size=1048576 head -c 4000000 /dev/zero >/t/x",
            {},
            "memory of this step alone",
        ),
    ],
    ids=["line-ends", "ignored-file", "full-tmpfs"],
)
def test_the_cause_of_a_failed_build_is_named(
    service: Service, instructions: str, files: dict[str, str], sentence: str
) -> None:
    own = f"FROM python:3.11\n{instructions}\n"
    with pytest.raises(BuildError, match=sentence) as caught:
        service.build(service.zip(**{"scripts/Dockerfile": own}, **files))
    assert not caught.value.retryable


def test_a_registry_that_does_not_answer_fails_soon(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buildx_run, "_RESOLVE_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own = f"FROM 127.0.0.1:{silent.getsockname()[1]}/base:1\n"
        with pytest.raises(BuildError, match="did not answer the builder") as caught:
            service.build(service.zip(**{"scripts/Dockerfile": own}))
    assert caught.value.retryable


def test_error_and_log_are_printable_for_any_build_output(service: Service) -> None:
    printed = r"print('\0\x1b[31mbad\x1b]0;t\x07 \u202e' + 5_000_000 * 'x' + 'end', end='')"
    own = f'FROM python:3.11\nRUN python3 -c "{printed}" && false\n'
    with pytest.raises(BuildError) as caught:
        service.build(service.zip(**{"scripts/Dockerfile": own}))
    said = str(caught.value)
    assert "scripts/Dockerfile of the artifact, line 2" in said
    assert "it ended with exit code 1" in said
    assert "\ufffdbad" in said
    assert len(said) <= printable.SENTENCE_MAX
    assert not caught.value.retryable
    for line in (said, *service.log):
        assert printable.unprintable(line) is None
        assert len(line) <= printable.SENTENCE_MAX


def test_dockerfile_advice_is_logged_without_a_failure(service: Service) -> None:
    service.build(service.zip(**{"scripts/Dockerfile": "FROM python:3.11\nRUN cd /tmp\n"}))
    assert any("line 2: DL3003" in line for line in service.log)


def test_a_zip_with_a_broken_member_builds_nothing(service: Service, docker_host: str) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("scripts/Dockerfile", "FROM python:3.11\nCOPY . /srv\n")
        target.writestr("data", b"x" * 5_000_000)
    content = bytearray(made.getvalue())
    content[2_000_000] ^= 1
    with pytest.raises(ArtifactError, match="checksum"):
        service.build(service.keep(bytes(content)))


def test_the_error_for_utils_version_without_an_index_names_the_key(service: Service) -> None:
    with pytest.raises(ManifestError, match=r"set packageIndex in environments\.yaml"):
        service.build(service.zip(), utilsVersion="1.4.2", environment={"package_index": None})


def test_an_index_that_refuses_the_login_is_named(
    service: Service, connections: Callable[..., None], sandbox: dict[str, str]
) -> None:
    connections(
        "package_index_default",
        conn_type="http",
        host=sandbox["INDEX_URL"],
        login=sandbox["INDEX_USER"],
        password="wrong",
    )
    with pytest.raises(ConfigurationError, match=r"'package_index_default'.* refused the login"):
        service.build(service.zip(), utilsVersion="1.5.0")


def test_a_version_that_the_index_does_not_have_is_named(service: Service) -> None:
    with pytest.raises(BuildError, match=r"pip finds no package internal-utils==9\.9\.9"):
        service.build(service.zip(), utilsVersion="9.9.9")


def test_internal_utils_come_from_the_private_index(service: Service, run: Any) -> None:
    service.ship(service.zip(), utilsVersion="1.4.2")
    image = service.plan().image
    assert run(image, "python", "-c", "import internal_utils; print('there')") == "there\n"


def test_the_context_has_the_same_files_as_with_docker_build(
    service: Service, run: Any, docker_host: str, tmp_path: Path
) -> None:
    files = {
        "scripts/Dockerfile": "FROM python:3.11\nCOPY . /srv\n",
        ".dockerignore": "# all\n*\n!src\n!/docs/*.md\nsrc/**/*.pyc\n**/cache\n!src/cache/kept\n"
        "docs/[a-c].md\n! lib/requirements.txt\nsrc/temp?/\n",
        **dict.fromkeys(
            ("src/a.pyc", "src/x/y/b.pyc", "src/x/cache/c", "src/cache/d", "src/cache/kept"), "1"
        ),
        **dict.fromkeys(("docs/b.md", "docs/d.md", "docs/x/e.md", "src/temp1/f", "src/temp"), "1"),
        **dict.fromkeys(("secret.txt", ".env", "lib/other.txt"), "1"),
    }
    artifact = service.zip(**files)
    built = service.build(artifact)
    with zipfile.ZipFile(tmp_path / f"store/sha256/{artifact['sha256']}.zip") as packed:
        packed.extractall(tmp_path / "by-hand")
    by_hand = ["docker", "build", "--quiet", "--file", "scripts/Dockerfile", "."]
    env = {
        "PATH": f"{docker_cli.BIN}:{os.environ['PATH']}",
        "DOCKER_HOST": docker_host,
        "DOCKER_CONFIG": str(docker_cli.CONFIG),
    }
    other = subprocess.run(
        by_hand, cwd=tmp_path / "by-hand", env=env, check=True, capture_output=True, text=True
    ).stdout.strip()
    ours, theirs = (
        set(run(image, "find", "/srv", "-type", "f").split())
        for image in (built["image_id"], other)
    )
    assert "/srv/src/cache/kept" in theirs
    assert not {"/srv/secret.txt", "/srv/src/a.pyc"} & theirs
    assert ours - {"/srv/scripts/Dockerfile"} == theirs
