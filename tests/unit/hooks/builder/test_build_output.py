"""Base images of a build, read from the output of BuildKit."""

from __future__ import annotations

from manifest_engine.hooks.builder.build_output import BuildOutput

FIRST, SECOND = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def bases(text: str) -> dict[str, str | None]:
    output = BuildOutput()
    for line in text.strip().splitlines():
        output.read_line(line)
    return output.bases


def test_only_bases_from_a_registry_have_a_digest():
    found = bases(f"""
#2 [internal] load metadata for docker.io/library/python:3.11
#4 [internal] load metadata for team.example:5000/base:1
#6 [build 1/1] FROM docker.io/library/python:3.11
#7 [stage-1 1/2] FROM team.example:5000/base:1@{FIRST}
#8 0.2 FROM team.example:5000/base:1@{SECOND}
""")
    assert found == {"docker.io/library/python:3.11": None, "team.example:5000/base:1": FIRST}


def test_the_digest_of_a_base_can_come_before_its_name():
    found = bases(f"""
#4 [1/2] FROM team.example:5000/base:1@{FIRST}
#7 [internal] load metadata for team.example:5000/base:1
""")
    assert found == {"team.example:5000/base:1": FIRST}


def test_an_image_in_copy_from_counts_as_a_base():
    found = bases(f"""
#2 [internal] load metadata for team.example/tools:1
#6 FROM team.example/tools:1@{FIRST}
""")
    assert found == {"team.example/tools:1": FIRST}


def test_a_pinned_base_counts_under_its_own_name():
    found = bases(f"""
#2 [context python:3.11] load metadata for docker.io/library/python@{SECOND}
#4 [context python:3.11] docker.io/library/python@{SECOND}
""")
    assert found == {"docker.io/library/python:3.11": SECOND}


def test_a_base_in_from_by_digest_keeps_that_name():
    name = f"docker.io/library/python:3.11@{FIRST}"
    assert bases(f"#2 [internal] load metadata for {name}\n#3 [1/2] FROM {name}") == {name: None}


def test_an_image_is_being_resolved_until_its_step_ends() -> None:
    output = BuildOutput()
    output.read_line("#3 [internal] load metadata for docker.io/library/python:3.11")
    output.read_line("#4 resolve image config for docker-image://docker.io/docker/dockerfile:1")
    assert set(output.resolving.values()) == {
        "docker.io/library/python:3.11",
        "docker.io/docker/dockerfile:1",
    }
    output.read_line("#3 DONE 0.1s")
    output.read_line("#4 ERROR: no such host")
    assert not output.resolving


def test_the_image_of_the_syntax_line_is_recorded_like_a_base_image() -> None:
    output = BuildOutput()
    digest = "sha256:" + "9" * 64
    output.read_line("#2 resolve image config for docker-image://docker.io/docker/dockerfile:1")
    output.read_line(f"#3 docker-image://docker.io/docker/dockerfile:1@{digest}")
    assert output.bases == {"docker.io/docker/dockerfile:1": digest}


def test_the_time_of_the_context_and_of_the_commands_is_read() -> None:
    """Lines of a real build with a context of 1 GiB."""
    output = BuildOutput()
    for line in (
        "#1 [internal] load remote build context",
        "#1 DONE 7.1s",
        "#1 [internal] load remote build context",
        "#1 DONE 7.1s",
        "#2 copy /context /",
        "#2 DONE 3.4s",
        "#5 [stage-0 2/5] RUN pip install -r lib/requirements.txt",
        "#5 2.101 Collecting flask",
        "#5 DONE 6.5s",
        "#6 [stage-0 3/5] COPY . .",
        "#6 DONE 1.9s",
        "#7 [stage-0 4/5] RUN true",
        "#7 CACHED",
    ):
        output.read_line(line)
    assert output.context_seconds == 10.5
    assert output.command_seconds == 6.5


def test_attestations_and_the_store_of_containerd_are_no_steps_of_the_dockerfile() -> None:
    """Steps that Docker Engine 29 prints with its default image store; names as in the public log
    of github.com/docker/build-push-action issue 1287 and of docs.docker.com/build/metadata."""
    output = BuildOutput()
    for line in (
        "#4 [1/2] FROM docker.io/library/python:3.11@sha256:" + "1" * 64,
        "#4 DONE 0.0s",
        "#5 [2/2] COPY . .",
        "#5 DONE 0.1s",
        "#6 exporting to image",
        "#6 exporting manifest sha256:" + "2" * 64 + " 0.0s done",
        "#6 exporting attestation manifest sha256:" + "3" * 64 + " 0.0s done",
        "#6 exporting manifest list sha256:" + "4" * 64 + " 0.0s done",
        "#6 unpacking to registry.example.com/a/b:1 0.1s done",
        "#6 DONE 0.4s",
        "#7 resolving provenance for metadata file",
        "#7 DONE 0.0s",
    ):
        output.read_line(line)
    assert (output.steps, output.cached_steps) == (2, 0)
    assert not output.error
    assert not output.tail
