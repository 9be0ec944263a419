"""The errors of failed builds, from output recorded with buildx 0.13 and Docker Engine 26.

The output for registries that break off in the middle is composed from public bug reports.
"""

import io
import zipfile
from pathlib import Path

import pytest
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.build.build_hints import BuildHints
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Limits
from manifest_engine.hooks.builder import build_causes
from manifest_engine.hooks.builder.build_causes import Cause
from manifest_engine.hooks.builder.build_failure import failure, silent_registry
from manifest_engine.hooks.builder.build_output import TAIL_LINES, BuildOutput

from tests.unit.hooks.builder.build_cause_examples import EXAMPLES

OUTPUTS = Path(__file__).parent / "build_outputs"
STANDARD = "the standard Dockerfile"
GROUPS = {name: group for name, group in vars(build_causes).items() if type(group) is tuple}
CAUSES = [
    pair for name, group in GROUPS.items() for pair in zip(group, EXAMPLES[name], strict=True)
]


def read(name: str) -> BuildOutput:
    output = BuildOutput()
    for line in (OUTPUTS / f"{name}.txt").read_text().splitlines():
        output.read_line(line)
    return output


def build_error(name: str) -> BuildError:
    return failure(read(name), builder="docker_default", dockerfile=STANDARD)


def test_steps_and_cached_steps_are_counted() -> None:
    fresh, again, code = read("success"), read("all_cached"), read("code_change")
    assert (fresh.steps, fresh.cached_steps) == (7, 1)
    assert (again.steps, again.cached_steps) == (7, 6)
    assert (code.steps, code.cached_steps) == (7, 5)


def test_a_source_that_the_environment_does_not_allow_is_named_with_the_rule() -> None:
    base, url = build_error("base_denied"), build_error("url_denied")
    assert (
        "line 2 (COPY --from=registry.example.com/other-team/private:1 /etc/passwd /x): the "
        in (str(base))
    )
    assert "does not allow the image registry.example.com/other-team/private:1: use" in str(base)
    assert "build.allowedBases" in str(base)
    assert "may not fetch https://example.com/model.bin, since" in str(url)
    assert "build.network: restricted" in str(url)
    assert not base.retryable
    assert not url.retryable


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_package", "line 13 (RUN pip install --no-cache-dir --disable-pip-version-check "),
        ("no_such_package", "pip finds no package no-such-package-xyzzy==9.9"),
        (
            "conflicting_packages",
            "each other (The user requested werkzeug==2.0.0; flask 3.1.3 depends",
        ),
        ("invalid_requirement", "the requirement 'flask=3.1.3' (from line 1 of lib/requirements"),
        ("wheel_not_built", "cannot build the package pycairo from source"),
        ("unknown_instruction", "line 2 (RUNN x): unknown instruction: RUNN (did you mean RUN?)"),
        ("command_failed", "it ended with exit code 3"),
        ("file_missing", "line 2 (COPY nothere /x): /nothere is not in the ZIP"),
        ("requirements_missing", "/lib/requirements.txt is not in the ZIP"),
        ("pattern_missing", "line 2 (COPY lib/*.txt /x/): /lib is not in the ZIP"),
        (
            "stage_file_missing",
            "line 4 (COPY --from=build /build/out /x): /build is not in 'build'",
        ),
        (
            "no_such_user",
            "--chown names a user or group that the image does not have: create the user",
        ),
        ("required_secret_missing", "set utilsVersion in the manifest, or set packageIndex"),
        ("utils_without_secret", "set utilsVersion in the manifest, or set packageIndex"),
        ("utils_without_secret", 'line 93 (RUN [ -z "$UTILS_VERSION" ] || /mnt/install --private '),
        ("index_refuses", "pip finds no package internal-utils==1.4.2"),
        ("uv_refused", "refused the login for https://index.example.com/simple/: correct"),
        ("uv_no_such_package", "no package index has a package no-such-package-xyzzy: correct"),
        ("killed", "most likely for want of memory"),
        ("tmpfs_full", "no space left in /scratch, which is memory of this step alone"),
        ("script_crlf_env", "a script has Windows line ends (CRLF): save it with LF"),
        ("no_such_stage", "there is no stage 'buidler', so Docker looks for an image"),
        ("no_such_stage", "did you mean the stage 'builder'?"),
        ("no_from", "an instruction stands before the first FROM"),
        ("comment_only", "the Dockerfile has no instruction"),
        ("requirements_utf16_no_bom", "the requirements are UTF-16, as PowerShell's `>` writes"),
        ("no_pg_config", "require psycopg2-binary instead"),
        ("no_compiler", "a package without a wheel is compiled, and the image has no compiler"),
        ("cut_archive", "line 2 (ADD weights.tar.gz /weights/): the archive in the ZIP breaks off"),
        ("conda_path", "names the path /croot/packaging_1734472117206/work, which exists only on"),
        ("no_git", "the image has no git"),
        ("wrong_hash", "the package itsdangerous==2.2.0 has another hash than the requirements"),
        ("missing_hash", "a version (==) and hashes for every package, and click has none"),
        ("syntax_unreachable", "docker.io/docker/dockerfile:1, which the line `# syntax=` names"),
        ("syntax_unreachable", "Remove the line, because BuildKit's own syntax covers most"),
        ("syntax_unreachable", "or set build.syntaxMirror in environments.yaml to a registry"),
        ("windows_package", "the package pywin32==306 exists only for Windows or macOS"),
    ],
)
def test_an_error_in_the_service_is_explained_and_not_retryable(name: str, sentence: str) -> None:
    error = build_error(name)
    assert sentence in str(error)
    assert str(error).startswith(f"The image could not be built: {STANDARD}, line ")
    assert not error.retryable


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "index_host_unknown",
            "the package index index.invalid cannot be reached from the builder",
        ),
        ("apt_host_unknown", "the name deb.nosuch.invalid cannot be resolved on the builder"),
        ("engine_gone", "on the builder 'docker_default': the engine went away"),
        ("index_unreachable", "the package index nosuch.invalid cannot be reached"),
        ("base_unreachable", "the registry of the base image nosuch.invalid/base:1 cannot be"),
        (
            "base_breaks_off",
            "line 1 (FROM python:3.11-slim): the registry of the base image "
            "docker.io/library/python:3.11-slim cannot be reached from the builder",
        ),
        (
            "base_layer_breaks_off",
            "line 1 (FROM python:3.11-slim): the registry of a base image cannot be reached from "
            "the builder, or breaks off",
        ),
    ],
)
def test_a_temporary_failure_is_retryable(name: str, sentence: str) -> None:
    error = build_error(name)
    assert sentence in str(error)
    assert error.retryable


@pytest.mark.parametrize("name", ["empty_dockerfile", "no_such_stage_mount"])
def test_an_error_without_a_place_is_retryable_only_if_the_builder_failed(name: str) -> None:
    assert not build_error(name).retryable


def test_a_full_device_is_not_the_disk_of_the_builder() -> None:
    error = build_error("disk_full")
    assert "no space left in /dev" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    "line",
    [
        "dd: error writing '/big': No space left on device",
        "OSError: [Errno 28] No space left on device",
        "E: You don't have enough free space in /var/cache/apt/archives/.",
    ],
)
def test_a_full_disk_of_the_builder_is_named_with_the_step(line: str) -> None:
    error = error_from(
        "#5 [2/2] RUN make",
        f"#5 0.1 {line}",
        "#5 ERROR: it failed",
        "scripts/Dockerfile:2",
        "   2 | >>> RUN make",
        'ERROR: failed to solve: process "make" did not complete successfully: exit code: 1',
    )
    assert "line 2 (RUN make): no space left on device, on the builder 'docker_default'" in str(
        error
    )
    assert error.retryable


def test_a_text_about_a_full_disk_is_not_taken_for_a_full_disk() -> None:
    error = error_from(
        "#5 [2/2] RUN pytest",
        "#5 0.1 test_the_error_no_space_left_on_device PASSED",
        "#5 ERROR: it failed",
        "scripts/Dockerfile:2",
        'ERROR: failed to solve: process "pytest" did not complete successfully: exit code: 1',
    )
    assert "it ended with exit code 1" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("cause", "example"), CAUSES, ids=[cause.sentence[:40] for cause, _ in CAUSES]
)
def test_each_cause_explains_its_example(cause: Cause, example: str) -> None:
    sentence = cause.explain(example)
    assert sentence is not None
    assert "None" not in sentence
    assert not sentence.endswith(".")


def test_no_cause_hides_a_later_one_of_the_same_group() -> None:
    assert EXAMPLES.keys() == GROUPS.keys()
    for name, group in GROUPS.items():
        for place, example in enumerate(EXAMPLES[name]):
            first = next(item for item in group if item.explain(example))
            assert group.index(first) == place, example


def hints(dockerfile: str = "FROM python:3.11\n", **files: str | bytes) -> BuildHints:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for path, content in {"scripts/Dockerfile": dockerfile, **files}.items():
            target.writestr(path, content)
    return BuildHints(open_archive(made, Limits()), dockerfile.encode())


def explained(name: str, given: BuildHints) -> str:
    error = failure(read(name), builder="docker_default", dockerfile=STANDARD, hints=given)
    assert not error.retryable
    return str(error)


def test_a_syntax_line_that_the_environment_does_not_allow_is_refused() -> None:
    error = error_from(
        "scripts/Dockerfile:1",
        "   1 | >>> # syntax=registry.example.com/x:1",
        "ERROR: failed to solve: failed to resolve source metadata for registry.example.com/x:1: "
        'source "docker-image://registry.example.com/x:1" denied by policy',
    )
    assert "the environment does not allow the image registry.example.com/x:1" in str(error)
    assert not error.retryable


def test_a_frontend_of_docker_hub_that_the_environment_does_not_allow_gets_its_remedy() -> None:
    error = error_from(
        "scripts/Dockerfile:1",
        "   1 | >>> # syntax=docker/dockerfile:1",
        "ERROR: failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:"
        '1: source "docker-image://docker.io/docker/dockerfile:1" denied by policy',
    )
    assert "the environment does not allow docker.io/docker/dockerfile:1, which the line" in str(
        error
    )
    assert "set build.syntaxMirror" in str(error)
    assert not error.retryable


def test_a_frontend_of_the_mirror_is_named_without_a_line() -> None:
    mirrored = "team.example.com/hub/docker/dockerfile:1"
    output = BuildOutput()
    output.read_line(
        f"ERROR: failed to solve: failed to resolve source metadata for {mirrored}: {mirrored}: "
        "not found"
    )
    error = failure(output, builder="b", dockerfile=STANDARD, frontend=mirrored)
    assert f"{mirrored}, which the line `# syntax=` names, cannot be pulled" in str(error)


def test_a_silent_registry_of_a_frontend_is_not_that_of_a_base_image() -> None:
    said = [
        str(silent_registry("r.example/x:1", builder="b", seconds=18, frontend=frontend))
        for frontend in ("", "r.example/x:1")
    ]
    assert (
        "registry of the base image r.example/x:1 did not answer the builder 'b' within 18"
        in (said[0])
    )
    assert "r.example/x:1, which the line `# syntax=` names, did not answer" in said[1]
    assert "Remove the line" in said[1]


def test_a_private_base_image_names_the_setting_for_logins() -> None:
    error = error_from(
        "scripts/Dockerfile:1",
        "   1 | >>> FROM team.example.com/base/python:1",
        "ERROR: failed to solve: team.example.com/base/python:1: failed to resolve source metadata "
        "for team.example.com/base/python:1: failed to authorize: failed to fetch anonymous token: "
        "unexpected status from GET request to https://team.example.com/token: 401 Unauthorized",
    )
    assert "does not let the builder read the base image team.example.com/base/python:1" in str(
        error
    )
    assert "build.registries in environments.yaml" in str(error)
    assert not error.retryable


def test_a_script_with_windows_line_ends_is_named() -> None:
    said = explained("script_crlf", hints(**{"build.sh": "#!/bin/sh\r\necho hi\r\n"}))
    assert "line 3 (RUN /build.sh): 'build.sh' has Windows line ends (CRLF): save it" in said


def test_a_script_that_is_not_executable_is_named() -> None:
    said = explained("script_not_executable", hints(**{"tools/build.sh": "#!/bin/sh\n"}))
    assert "'tools/build.sh' is not executable in the ZIP" in said
    assert "COPY --chmod=755" in said


def test_a_heredoc_with_windows_line_ends_is_named() -> None:
    said = explained("heredoc_crlf", hints("FROM python:3.11\r\nRUN <<EOF\r\nset -eu\r\nEOF\r\n"))
    assert "(RUN <<EOF): the Dockerfile has Windows line ends (CRLF)" in said


def test_a_file_that_an_ignore_file_leaves_out_is_not_called_missing() -> None:
    said = explained("file_missing", hints(**{"nothere": "x", ".dockerignore": "not*\n"}))
    assert "/nothere is in the ZIP, but .dockerignore leaves it out of the build" in said
    assert "add the line !nothere" in said


def test_a_file_in_another_place_is_named() -> None:
    said = explained("requirements_missing", hints(**{"requirements.txt": ""}))
    assert "/lib/requirements.txt is not in the ZIP, which has no folder lib/ at its root" in said
    assert "; it has 'requirements.txt': move or rename it" in said


def error_from(*lines: str) -> BuildError:
    output = BuildOutput()
    for line in lines:
        output.read_line(line)
    return failure(output, builder="docker_default", dockerfile=STANDARD)


@pytest.mark.parametrize(
    "message",
    [
        'failed to do request: Head "https://r/v2/base/manifests/1": EOF',
        "failed to copy: read tcp 10.1.0.4:4->192.0.2.2:443: read: connection reset by peer",
        "failed to copy: httpReadSeeker: failed open: unexpected status code "
        "https://r/v2/base/blobs/sha256:30: 503 Service Unavailable",
    ],
)
def test_a_broken_connection_to_a_registry_is_not_blamed_on_the_engine(message: str) -> None:
    error = error_from(f"ERROR: failed to solve: base:1: {message}")
    assert "the registry of a base image" in str(error)
    assert error.retryable


@pytest.mark.parametrize(
    "message",
    [
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: "
        "EOF",
        'error during connect: Post "https://builder:2376/build": write: broken pipe',
        "failed to solve: Canceled: context canceled",
    ],
)
def test_an_engine_that_goes_away_is_reported_as_such(message: str) -> None:
    assert "the engine went away" in str(error_from(f"ERROR: {message}"))


def test_an_untrusted_registry_of_a_base_image_is_not_retryable() -> None:
    error = error_from(
        "scripts/Dockerfile:1",
        "ERROR: failed to solve: r/base:1: failed to resolve source metadata for r/base:1: failed "
        'to do request: Head "https://r/v2/base/manifests/1": tls: failed to verify certificate',
    )
    assert "the base image r/base:1 cannot be pulled" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    "line", ["sh: syntax error: unexpected EOF", "cp: failed to copy: x: broken pipe"]
)
def test_the_output_of_a_command_is_not_read_as_an_error_of_a_registry(line: str) -> None:
    error = error_from(
        "#5 [2/2] RUN make",
        f"#5 0.1 {line}",
        "#5 ERROR: it failed",
        'ERROR: failed to solve: process "make" did not complete successfully: exit code: 2',
    )
    assert "it ended with exit code 2" in str(error)
    assert not error.retryable


def test_the_last_lines_of_the_failing_step_are_shown() -> None:
    lines = str(build_error("command_failed")).splitlines()[1:]
    assert len(lines) == TAIL_LINES
    assert lines[0] == "  line 12"
    assert lines[-1] == "  line 30"


def test_the_text_of_a_command_is_not_read_as_a_cause() -> None:
    output = BuildOutput()
    output.read_line(
        'ERROR: failed to solve: process "/bin/sh -c echo no space left on device; false" '
        "did not complete successfully: exit code: 1"
    )
    output.read_line("scripts/Dockerfile:2")
    error = failure(output, builder="b", dockerfile=STANDARD)
    assert "exit code 1" in str(error)
    assert not error.retryable


def test_output_of_any_length_takes_little_memory() -> None:
    output = BuildOutput()
    output.read_line("#5 [2/2] RUN make")
    for number in range(10_000):
        output.read_line(f"#5 0.1 line {number}")
    output.read_line("#5 ERROR: it failed")
    assert len(output.tail) == TAIL_LINES


FAILED = sorted(
    file.stem for file in OUTPUTS.glob("*.txt") if "ERROR: failed to solve" in file.read_text()
)


def as_newer_engines_print(text: str) -> list[str]:
    """The output of buildx 0.2x with Docker Engine 27 to 29.

    buildx adds "failed to build" to the final error and the warnings of BuildKit's linter before
    the place, and a link after the error; BuildKit 0.17 writes flags with "--". Public logs:
    moby/buildkit issues 5368 and 5369, docker/buildx issue 1619, and
    https://docs.docker.com/reference/build-checks/ for the warnings.
    """
    text = text.replace("ERROR: failed to solve: ", "ERROR: failed to build: failed to solve: ")
    warnings = (
        "\n 1 warning found (use docker --debug to expand):\n"
        " - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)\n"
    )
    place = "scripts/Dockerfile:"
    before, found, after = text.rpartition(f"\n{place}")
    text = f"{before}{warnings}{place}{after}" if found else text
    text += (
        "\n\nView build details: docker-desktop://dashboard/build/default/default/0123456789abc\n"
    )
    return text.splitlines()


@pytest.mark.parametrize("name", FAILED)
def test_newer_engines_give_the_same_sentence(name: str) -> None:
    output = BuildOutput()
    for line in as_newer_engines_print((OUTPUTS / f"{name}.txt").read_text()):
        output.read_line(line)
    error = failure(output, builder="docker_default", dockerfile=STANDARD)
    expected = build_error(name)
    assert str(error) == str(expected)
    assert error.retryable == expected.retryable


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("unknown flag: exclude", "this builder does not know the flag --exclude: correct"),
        ("unknown flag: --exclude", "this builder does not know the flag --exclude: correct"),
        (
            "unknown flag: --form (did you mean --from?)",
            "--form does not exist: did you mean --from?",
        ),
        ("missing a value on flag: --exclude", "missing a value on flag: --exclude."),
        ("unknown instruction: FORM (did you mean FROM?)", "FORM (did you mean FROM?)."),
    ],
)
def test_a_mistyped_flag_or_instruction_is_not_the_builder_s_fault(
    said: str, sentence: str
) -> None:
    error = error_from(
        "scripts/Dockerfile:2",
        "   2 | >>> COPY --x . .",
        f"ERROR: failed to build: failed to solve: dockerfile parse error on line 2: {said}",
    )
    assert sentence in str(error)
    assert not error.retryable


def test_a_flag_that_buildx_itself_does_not_know_is_the_builder_s() -> None:
    error = error_from("unknown flag: --metadata-file")
    assert "its buildx is too old to know --metadata-file" in str(error)
