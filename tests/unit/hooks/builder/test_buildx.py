"""The command line and environment of a build."""

import base64
import json
import stat
from pathlib import Path

import pytest
from manifest_engine.domain.build import recipe
from manifest_engine.domain.core.errors import ConfigurationError, ManifestError
from manifest_engine.hooks.builder import buildx

from tests.unit.domain.release.releases import make_release

PLUGIN = Path("/plugins/docker-buildx")
METADATA = Path("/private/metadata.json")
SECRET = "[global]\nindex-url = https://user:hunter2@index.example.com/simple\n"
BUILD = buildx.Build(
    tag="registry.example.com/datafactory/a/b:1",
    file="scripts/Dockerfile",
    build_args={"SOURCE_DATE_EPOCH": "315532800", "UTILS_VERSION": "1.4.2"},
    labels={"io.manifest-engine.input": "abc"},
    secrets={"pip_conf": SECRET},
    cache_from="registry.example.com/datafactory/a/b:cache",
)
ENGINE = {"DOCKER_HOST": "tcp://builder:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}


def test_the_command_line_in_full() -> None:
    assert buildx.argv(PLUGIN, BUILD, METADATA) == [
        *("/plugins/docker-buildx", "buildx", "build", "--builder", "default"),
        *("--progress", "plain", "--load", "--provenance=false", "--sbom=false"),
        *("--tag", "registry.example.com/datafactory/a/b:1", "--file", "scripts/Dockerfile"),
        *("--metadata-file", "/private/metadata.json"),
        *("--build-arg", "SOURCE_DATE_EPOCH=315532800", "--build-arg", "UTILS_VERSION=1.4.2"),
        *("--label", "io.manifest-engine.input=abc"),
        *("--secret", "id=pip_conf,env=MANIFEST_ENGINE_SECRET_0"),
        *("--cache-from", "type=registry,ref=registry.example.com/datafactory/a/b:cache"),
        "-",
    ]


def test_only_a_build_for_the_cache_writes_inline_cache() -> None:
    cache = buildx.Build(tag="a/b:cache", file="Dockerfile", inline_cache=True)
    assert "BUILDKIT_INLINE_CACHE=1" in buildx.argv(PLUGIN, cache, METADATA)
    assert "BUILDKIT_INLINE_CACHE=1" not in buildx.argv(PLUGIN, BUILD, METADATA)


def test_a_secret_is_only_in_the_environment() -> None:
    words = buildx.argv(PLUGIN, BUILD, METADATA)
    variables = buildx.environment(BUILD, ENGINE, Path("/private"), {})
    assert not any("hunter2" in word for word in words)
    assert variables["MANIFEST_ENGINE_SECRET_0"] == SECRET
    assert "hunter2" not in repr(BUILD)


def test_the_worker_s_environment_is_not_inherited() -> None:
    inherited = {
        "PATH": "/bin",
        "SSL_CERT_FILE": "/ca.pem",
        "AIRFLOW__CORE__FERNET_KEY": "k",
        "DOCKER_HOST": "unix:///elsewhere.sock",
        "DOCKER_CONTEXT": "elsewhere",
        "BUILDX_BUILDER": "elsewhere",
    }
    variables = buildx.environment(BUILD, ENGINE, Path("/private"), inherited)
    assert variables["PATH"] == "/bin"
    assert variables["SSL_CERT_FILE"] == "/ca.pem"
    assert variables["DOCKER_HOST"] == "tcp://builder:2376"
    assert variables["DOCKER_CONFIG"] == "/private"
    assert not variables.keys() & {"AIRFLOW__CORE__FERNET_KEY", "DOCKER_CONTEXT", "BUILDX_BUILDER"}


def test_logins_are_written_as_docker_login_writes_them() -> None:
    login = buildx.Login("user", "hunter2")
    config = json.loads(buildx.client_config({"registry.example.com:5000": login}))
    auth = base64.b64encode(b"user:hunter2").decode()
    assert config == {"auths": {"registry.example.com:5000": {"auth": auth}}}
    assert "hunter2" not in repr(login)


def test_the_plugin_is_found_where_the_docker_client_looks(tmp_path: Path) -> None:
    plugin = tmp_path / "cli-plugins/docker-buildx"
    plugin.parent.mkdir()
    plugin.touch()
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    assert buildx.find_plugin({"DOCKER_CONFIG": str(tmp_path)}) == plugin


def test_a_worker_without_the_plugin_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buildx, "_PLUGIN_FOLDERS", ())
    with pytest.raises(ConfigurationError, match="install Docker's docker-buildx-plugin"):
        buildx.find_plugin({"PATH": ""})


def test_a_pinned_base_is_used_by_digest():
    digest = "sha256:" + "1" * 64
    pins = {"team.example:5000/base:1": digest, "docker.io/library/python:3.11": digest}
    words = buildx.argv(PLUGIN, buildx.Build(tag="a/b:1", file="F", pins=pins), METADATA)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--build-context"]
    assert given == [
        f"docker.io/library/python:3.11=docker-image://docker.io/library/python@{digest}",
        f"team.example:5000/base:1=docker-image://team.example:5000/base@{digest}",
    ]


def test_without_cache_every_step_runs():
    assert "--no-cache" in buildx.argv(PLUGIN, buildx.Build("a", "F", no_cache=True), METADATA)
    assert "--no-cache" not in buildx.argv(PLUGIN, BUILD, METADATA)


def test_a_reference_that_begins_with_a_dash_is_not_an_option() -> None:
    words = buildx.inspect_argv(PLUGIN, "--x.y/z:latest")
    assert words[words.index("--") :] == ["--", "--x.y/z:latest"]


def test_a_source_policy_is_named_by_the_variable_that_buildx_reads() -> None:
    name = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"
    build = buildx.Build("a", "F", source_policy="{}")
    variables = buildx.environment(build, ENGINE, Path("/private"), {})
    assert variables[name] == "/private/source-policy.json"
    assert name not in buildx.environment(BUILD, ENGINE, Path("/private"), {name: "/elsewhere"})


OPTIONS = ["--push", "-", "--output=/", "-x.example/a", "a --push", "a\n--push", "$(id)", "a,b=c"]


@pytest.mark.parametrize("text", OPTIONS)
@pytest.mark.parametrize("field", ["component", "serviceName", "version", "utilsVersion", "bases"])
def test_no_text_of_a_manifest_becomes_an_option_of_docker(field: str, text: str) -> None:
    rebuild = {"releaseHash": "h", "digest": "sha256:" + "a" * 64}
    fields = {"rebuild": rebuild | {"bases": {text: "sha256:" + "b" * 64}}}
    with pytest.raises(ManifestError):
        make_release(**(fields if field == "bases" else {field: text}))


@pytest.mark.parametrize("text", ["--push", "-x/y.zip", "a --push.zip", "a,type=local.zip"])
def test_free_text_of_a_manifest_is_only_in_label_values(text: str) -> None:
    release = make_release(artifact=f"datafactory/{text.removesuffix('.zip')}.zip", owner=text)
    made = recipe.recipe(release, "a" * 64, f"FROM {text}\n".encode())
    build = buildx.Build(
        tag=release.image, file="D", build_args=made.build_args, labels=made.labels
    )
    words = buildx.argv(PLUGIN, build, METADATA)
    assert all("=" in word.partition(text)[0] for word in words if text in word)
    assert text not in words


def test_proxies_are_in_the_client_s_configuration_and_not_on_the_command_line() -> None:
    proxies = {"httpProxy": "http://proxy:3128", "noProxy": ".example.com"}
    assert json.loads(buildx.client_config({}, proxies))["proxies"] == {"default": proxies}
    words = buildx.argv(PLUGIN, buildx.Build("a", "F", proxies=proxies), METADATA)
    assert not any("proxy" in word for word in words)


def test_the_version_is_asked_as_the_docker_client_asks_its_plugin(tmp_path, monkeypatch):
    plugin = tmp_path / "cli-plugins/docker-buildx"
    plugin.parent.mkdir()
    plugin.write_text(
        '#!/bin/sh\n[ "$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND" = docker ] && echo "buildx 0.13"\n'
    )
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert buildx.version() == "buildx 0.13"


def test_target_and_platform_are_flags_of_their_own() -> None:
    words = buildx.argv(
        PLUGIN, buildx.Build(tag="a:1", file="d", target="run", platform="linux/arm64"), METADATA
    )
    assert words[words.index("--target") + 1] == "run"
    assert words[words.index("--platform") + 1] == "linux/arm64"
    assert not {"--target", "--platform"} & set(buildx.argv(PLUGIN, BUILD, METADATA))


def test_docker_hub_has_its_historical_key_in_the_client_s_configuration() -> None:
    logins = {"docker.io": buildx.Login("ada", "x"), "r.example": buildx.Login("ada", "y")}
    auths = json.loads(buildx.client_config(logins))["auths"]
    assert auths.keys() == {"https://index.docker.io/v1/", "r.example"}


INSPECTED = """\
Name:   default
Driver: docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.12.5
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64*
"""
"""Output of `docker buildx inspect`; a platform that the user set has an asterisk
(docs.docker.com/reference/cli/docker/buildx/inspect)."""


def test_the_platforms_of_a_builder_are_read(tmp_path: Path, monkeypatch) -> None:
    plugin = tmp_path / "cli-plugins/docker-buildx"
    plugin.parent.mkdir()
    plugin.write_text(f"#!/bin/sh\ncat <<'E'\n{INSPECTED}E\n")
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = buildx.platforms({}, tmp_path, {"PATH": "/usr/bin:/bin"})
    assert found == ("linux/amd64", "linux/amd64/v2", "linux/arm64")
    plugin.write_text("#!/bin/sh\nexit 1\n")
    assert buildx.platforms({}, tmp_path, {"PATH": "/usr/bin:/bin"}) == ()
