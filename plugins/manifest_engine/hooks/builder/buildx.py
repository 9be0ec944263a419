"""The command line and the environment of one ``docker buildx build``.

A build runs the buildx plugin directly, as the docker client would, so there is only one process to
start and to stop. The command line contains no secrets.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.image import base_images
from manifest_engine.hooks.core import bounded, child_environment

_PLUGIN = "docker-buildx"
_PLUGIN_FOLDERS = (
    "~/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where the docker client looks for plugins (docker/cli, cli-plugins/manager)."""
_AS_PLUGIN = {"DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": "docker"}
"""The docker client sets this variable for its plugins (docker/cli, ReexecEnvvar). Without the
variable, buildx ignores DOCKER_TLS_VERIFY and DOCKER_CERT_PATH."""
SOURCE_POLICY = "source-policy.json"
SOURCE_POLICY_VARIABLE = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"
"""Path of the policy file (https://docs.docker.com/build/building/variables/)."""
_VERSION_SECONDS, _VERSION_MAX = 8.0, 4096
_INSPECT_SECONDS, _INSPECT_MAX = 20.0, 64 << 10
_SECRET_VARIABLE = "MANIFEST_ENGINE_SECRET_"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Login:
    """User and password for a registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Build:
    """One build. The fields are the flags of ``docker buildx build``."""

    tag: str
    file: str
    """Path of the Dockerfile in the build context."""
    target: str | None = None
    """The stage to build; None for the last stage."""
    platform: str | None = None
    """Platform of the image; None for the builder's platform."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Text by secret id."""
    cache_from: str | None = None
    """Reference of an image with inline cache."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """For the build steps: ``httpProxy``, ``httpsProxy`` and ``noProxy``, as in ``config.json``."""
    source_policy: str = ""
    """BuildKit's source policy as JSON; empty allows every source."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Digest by base image: the build uses this digest, even if the builder has another image of
    that name."""
    no_cache: bool = False
    inline_cache: bool = False
    """Write the inline cache into the image. It makes digests unstable, so only the image of the
    cache tag has it."""


def argv(plugin: Path, build: Build, metadata: Path) -> list[str]:
    """The command line of a build, which reads its context as a tar from standard input.

    :param metadata: path of the file that buildx writes and :func:`image_id` reads.
    """
    words = [
        str(plugin),
        "buildx",
        "build",
        "--builder",
        "default",
        "--progress",
        "plain",
        "--load",
    ]
    # Attestations contain times and turn the image into an index, so its digest would change.
    words += ["--provenance=false", "--sbom=false"]
    words += ["--tag", build.tag, "--file", build.file]
    if build.target:
        words += ["--target", build.target]
    if build.platform:
        words += ["--platform", build.platform]
    words += ["--metadata-file", str(metadata)]
    arguments = dict(build.build_args)
    if build.inline_cache:
        arguments["BUILDKIT_INLINE_CACHE"] = "1"
    for name, value in sorted(arguments.items()):
        words += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(build.labels.items()):
        words += ["--label", f"{name}={value}"]
    for position, secret in enumerate(sorted(build.secrets)):
        words += ["--secret", f"id={secret},env={_SECRET_VARIABLE}{position}"]
    for base, digest in sorted(build.pins.items()):
        pinned = f"docker-image://{base_images.repository(base)}@{digest}"
        words += ["--build-context", f"{base}={pinned}"]
    if build.no_cache:
        words.append("--no-cache")
    if build.cache_from:
        words += ["--cache-from", f"type=registry,ref={build.cache_from}"]
    return [*words, "-"]


def inspect_argv(plugin: Path, reference: str) -> list[str]:
    """The command line that prints an image's descriptor in its registry as JSON."""
    words = [str(plugin), "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}"]
    return [*words, "--", reference]  # a reference that begins with "-" is not an option


def platforms(
    engine: Mapping[str, str], config: Path, inherited: Mapping[str, str]
) -> tuple[str, ...]:
    """The platforms whose programs an engine can execute, its own platform first; empty if unknown.

    :param engine: as for :func:`environment`.
    :param config: an empty private folder for the configuration of the docker client.
    """
    try:
        done = bounded.output(
            [str(find_plugin()), "buildx", "inspect", "default"],
            env=environment(Build("", ""), engine, config, inherited),
            limit=_INSPECT_MAX,
            deadline_seconds=_INSPECT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return ()
    for line in done.stdout.decode(errors="replace").splitlines():
        key, _, listed = line.partition(":")
        if key.strip() == "Platforms":
            return tuple(item.strip().rstrip("*") for item in listed.split(",") if item.strip())
    return ()


def image_id(metadata: str) -> str:
    """The engine's id of the image: the digest of its configuration, or in containerd's image store
    the digest of its manifest.
    """
    return str(json.loads(metadata)["containerimage.digest"])


def environment(
    build: Build, engine: Mapping[str, str], config: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of the buildx process.

    :param engine: ``DOCKER_HOST`` and, with TLS, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``.
    :param config: private folder with ``config.json`` (:func:`client_config`) and, if the build has
        a source policy, the file :data:`SOURCE_POLICY`.
    :param inherited: the worker's own environment.
    """
    secrets = {
        f"{_SECRET_VARIABLE}{position}": build.secrets[secret]
        for position, secret in enumerate(sorted(build.secrets))
    }
    policy = {SOURCE_POLICY_VARIABLE: str(config / SOURCE_POLICY)} if build.source_policy else {}
    variables = {
        **_AS_PLUGIN,
        **policy,
        **engine,
        **secrets,
        "DOCKER_CONFIG": str(config),
        "BUILDX_CONFIG": str(config / "buildx"),
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "BUILDX_METADATA_PROVENANCE": "disabled",  # several hundred KiB with buildx 0.31
    }
    return child_environment.clean(variables, inherited=inherited)


def client_config(logins: Mapping[str, Login], proxies: Mapping[str, str] | None = None) -> str:
    """The text of ``config.json``.

    :param logins: by registry host.
    :param proxies: :attr:`Build.proxies`. buildx passes them as predefined build arguments, which
        appear in no layer and no history.
    """
    auths = {
        _config_key(registry): {
            "auth": base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        }
        for registry, login in logins.items()
    }
    known = {"proxies": {"default": dict(proxies)}} if proxies else {}
    return json.dumps({"auths": auths, **known})


def _config_key(registry: str) -> str:
    """The key of a registry in ``auths``; Docker Hub has a special key (docker/cli)."""
    return "https://index.docker.io/v1/" if registry == base_images.DOCKER_HUB else registry


def find_plugin(variables: Mapping[str, str] | None = None) -> Path:
    """The path of the buildx plugin, searched in the docker client's order and then on PATH.

    :raises ConfigurationError: when no buildx is installed.
    """
    variables = os.environ if variables is None else variables
    for candidate in _candidates(variables):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise ConfigurationError(
        "This worker has no docker-buildx, which builds the images: install Docker's "
        "docker-buildx-plugin (Debian: docker-buildx), or put docker-buildx on PATH."
    )


def version() -> str:
    """The version line of the buildx plugin.

    :raises ConfigurationError: when there is no plugin, or the plugin does not run.
    """
    plugin = find_plugin()
    try:
        done = bounded.output(
            [str(plugin), "buildx", "version"],
            env=child_environment.clean(_AS_PLUGIN),
            limit=_VERSION_MAX,
            deadline_seconds=_VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"The buildx plugin {plugin} does not run: {error}.") from error
    if done.status:
        why = printable.excerpt(done.stderr) or f"exit code {done.status}"
        raise ConfigurationError(f"The buildx plugin {plugin} does not run: {why}.")
    return printable.excerpt(done.stdout)


def _candidates(variables: Mapping[str, str]) -> Iterator[Path]:
    config = variables.get("DOCKER_CONFIG")
    folders = [f"{config}/cli-plugins"] if config else []
    for folder in (*folders, *_PLUGIN_FOLDERS):
        yield Path(folder).expanduser() / _PLUGIN
    found = shutil.which(_PLUGIN, path=variables.get("PATH"))
    if found:
        yield Path(found)
