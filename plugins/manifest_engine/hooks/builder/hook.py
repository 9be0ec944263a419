"""A builder: the Docker engine of an Airflow Docker Connection, with its BuildKit."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook

from manifest_engine.domain.build.build_cache import Layers, Step
from manifest_engine.domain.core.errors import BuildError, RegistryError
from manifest_engine.domain.environment import builds
from manifest_engine.domain.image import base_images
from manifest_engine.hooks.builder import buildx
from manifest_engine.hooks.builder.build_output import BuildOutput
from manifest_engine.hooks.builder.buildx_run import BuildInput, BuildxRun
from manifest_engine.hooks.core.causes import innermost
from manifest_engine.hooks.core.connections import required
from manifest_engine.hooks.engine import push_events
from manifest_engine.hooks.engine.client import EngineClient, engine_address, explained, too_old

OLDEST_API = (1, 42)
"""API of Docker Engine 23, the first release whose BuildKit supports the standard Dockerfile."""
SOURCE_POLICY_API = (1, 44)
"""API of Docker Engine 25. Its BuildKit 0.12 is the first to apply a source policy to every image
that a build reads (moby/buildkit, pull request 3956)."""
RESTRICTED = "com.manifest-engine.network=restricted"
"""Label of an engine whose operator has closed its network to builds (docs/builders.md)."""

_UNKNOWN = "unknown"
"""Digest of a base image when neither the build nor the engine reports a digest. An unknown digest
never matches, so the next nightly run rebuilds the image."""


@dataclass(frozen=True)
class Built:
    """A finished build."""

    image_id: str
    """``sha256:…``: the digest of the configuration, or of the manifest in containerd's store."""
    steps: int
    cached_steps: int
    seconds: float
    context_seconds: float
    """Time to receive and unpack the build context."""
    command_seconds: float
    """Time of the commands (``RUN``) that did not come from the cache."""
    bases: dict[str, str]
    """Digest of each base image by normalized reference; for an image that exists only on the
    engine, the engine's image id."""


@dataclass(frozen=True)
class LocalBase:
    """A base image on an engine."""

    image_id: str
    pulled_as: str | None
    """Digest in the registry. containerd's image store reports a digest for every image."""

    @property
    def digest(self) -> str:
        """The value in ``Built.bases``."""
        return self.pulled_as or self.image_id


class BuilderHook(BaseHook):
    """Build, inspect, tag and push on one engine.

    A context manager: at its end the TLS files are deleted.

    :param docker_conn_id: Airflow Connection of type ``docker``: host ``unix:///…`` or
        ``tcp://host:2376``; for TLS ``tls_ca_cert``, ``tls_client_cert`` and ``tls_client_key`` in
        the extra, as PEM text or path.
    """

    conn_name_attr = "docker_conn_id"
    default_conn_name = "docker_default"
    conn_type = "docker"
    hook_name = "Docker"

    def __init__(self, docker_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.docker_conn_id = docker_conn_id
        self._run: BuildxRun | None = None
        self._cancelled = False

    def __enter__(self) -> BuilderHook:
        return self

    def __exit__(self, *_: object) -> None:
        if "_engine" in self.__dict__:
            self._engine.close()

    @cached_property
    def _engine(self) -> EngineClient:
        with required(self.docker_conn_id, "docker"):
            connection = self.get_connection(self.docker_conn_id)
        return EngineClient(
            engine_address(
                self.docker_conn_id, connection.host, connection.port, connection.extra_dejson
            )
        )

    def ping(self) -> None:
        """Check that the engine answers and is new enough.

        :raises BuildError: when the engine is too old, or (retryable) does not answer.
        :raises ConfigurationError: when the Connection does not exist or is incomplete.
        """
        with self._explained():
            self._engine.api.ping()
        self._require_api(OLDEST_API, "")

    def version(self) -> str:
        """Version of the engine and of its API."""
        with self._explained():
            found = self._engine.api.version()
        return f"Docker Engine {found['Version']}, API {found['ApiVersion']}"

    def require(self, build: builds.Build) -> None:
        """Check that this engine can enforce the environment's rules for builds.

        :raises BuildError: when the engine is too old, or its network is not restricted.
        """
        if build.restricts_sources:
            self._require_api(
                SOURCE_POLICY_API,
                "build.allowedBases or build.network: restricted in environments.yaml needs 1.44",
            )
        if build.network == "restricted":
            with self._explained():
                labels = self._engine.api.info().get("Labels") or []
            if RESTRICTED not in labels:
                raise BuildError(
                    f"The builder {self.docker_conn_id!r} at {self._engine.address.url} does not "
                    "restrict the network of builds, as build.network: restricted in "
                    "environments.yaml demands: close its network as docs/builders.md says, and "
                    f"start its Docker engine with --label {RESTRICTED}."
                )

    def require_platform(self, platform: str) -> None:
        """
        :raises BuildError: when the engine cannot execute programs of the platform.
        """
        variables = self._engine.address.variables(self._engine.folder)
        with tempfile.TemporaryDirectory(prefix="manifest-engine-") as name:
            found = buildx.platforms(variables, Path(name), os.environ)
        if found and platform not in found:
            raise BuildError(
                f"The builder {self.docker_conn_id!r} cannot build for {platform}, because it only "
                f"runs programs of {', '.join(found)}: choose one of these as platform in the "
                "manifest, add a builder with that platform to builders in environments.yaml, or "
                "install emulation on the builder's host (docs/builders.md)."
            )

    def _require_api(self, oldest: tuple[int, int], why: str) -> None:
        with self._explained():
            version = str(self._engine.api.api_version)
        if tuple(map(int, version.split("."))) < oldest:
            raise too_old(
                self.docker_conn_id,
                self._engine.address.url,
                ", and ".join(filter(None, (f"its API is {version}", why))),
                release=25 if oldest == SOURCE_POLICY_API else 23,
            )

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.docker_conn_id, self._engine.address.url)

    def build(self, build: buildx.Build, given: BuildInput) -> Built:
        """Build an image and keep it in the engine under ``build.tag``.

        :raises BuildError: with the failing line and the last lines of its output.
        """
        begin = time.monotonic()
        self._run = BuildxRun(
            self.docker_conn_id, self._engine.address.variables(self._engine.folder)
        )
        if self._cancelled:
            self._run.cancel()
        image_id = self._run.image_id(build, given)
        output, seconds = self._run.output, time.monotonic() - begin
        return Built(
            image_id=image_id,
            steps=output.steps,
            cached_steps=output.cached_steps,
            seconds=seconds,
            context_seconds=output.context_seconds,
            command_seconds=output.command_seconds,
            bases=self._bases(output),
        )

    def cancel(self) -> None:
        """Cancel a running build, also on the engine; safe to call from a signal handler."""
        self._cancelled = True
        if self._run:
            self._run.cancel()

    def image_id(self, reference: str) -> str | None:
        """The id of a local image, None if the engine has no image of that name."""
        image = self._inspect(reference)
        return str(image["Id"]) if image else None

    def local_base(self, reference: str) -> LocalBase | None:
        """A base image on the engine, None if the engine does not have it."""
        image = self._inspect(reference)
        if image is None:
            return None
        pulled_as = base_images.digest_among(reference, image.get("RepoDigests") or [])
        return LocalBase(str(image["Id"]), pulled_as)

    def _inspect(self, reference: str) -> dict[str, Any] | None:
        from docker.errors import ImageNotFound

        with self._explained():
            try:
                return dict(self._engine.api.inspect_image(reference))
            except ImageNotFound:
                return None

    def _bases(self, output: BuildOutput) -> dict[str, str]:
        found = {}
        for name, digest in output.bases.items():
            if base_images.is_pinned(name):
                continue
            base = None if digest else self.local_base(name)
            found[name] = digest or (base.digest if base else _UNKNOWN)
        return found

    def layers(self, image_id: str) -> Layers:
        """History and layers of a local image."""
        with self._explained():
            diff_ids = self._engine.api.inspect_image(image_id)["RootFS"].get("Layers") or []
            history = reversed(self._engine.api.history(image_id))
        return Layers(tuple(Step(entry["CreatedBy"]) for entry in history), tuple(diff_ids))

    def tag(self, image_id: str, image: str) -> None:
        """Give a local image a name ``host/repository:tag``."""
        repository, _, tag = image.rpartition(":")
        with self._explained():
            self._engine.api.tag(image_id, repository, tag)

    def push(self, image: str, login: buildx.Login, *, deadline_seconds: float) -> str:
        """Push ``host/repository:tag``.

        :return: digest of the manifest, as the engine reports it.
        :raises RegistryError: with the reason from the engine's error event.
        """
        repository, _, tag = image.rpartition(":")
        auth = {"username": login.username, "password": login.password}
        try:
            events = self._engine.api.push(
                repository, tag, stream=True, decode=True, auth_config=auth
            )
            return push_events.digest(events, image, deadline_seconds=deadline_seconds)
        except RegistryError:
            raise
        except Exception as error:
            raise RegistryError(
                f"The push of {image} was cut off on the builder {self.docker_conn_id!r} "
                f"({innermost(error)}).",
                retryable=True,
            ) from error
