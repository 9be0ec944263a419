"""A builder: the Docker engine of an Airflow Docker Connection, and BuildKit in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain import base_images
from manifest_engine.domain.build_cache import Layers, Step
from manifest_engine.domain.errors import (
    BuildError,
    ConfigurationError,
    ManifestEngineError,
    RegistryError,
)
from manifest_engine.hooks import buildx, push_events
from manifest_engine.hooks.build_output import BuildOutput
from manifest_engine.hooks.buildx_run import BuildxRun
from manifest_engine.hooks.causes import innermost
from manifest_engine.hooks.engine_address import engine_address
from manifest_engine.hooks.engine_client import EngineClient

OLDEST_API = (1, 42)
"""Of Docker Engine 23, the first whose BuildKit knows all that our Dockerfile asks."""


@dataclass(frozen=True)
class Built:
    """A finished build."""

    image_id: str
    """``sha256:…``: the digest of the configuration, or of the manifest in containerd's store."""
    steps: int
    cached_steps: int
    seconds: float
    bases: dict[str, str]
    """Digest of each base image by normalized reference; an engine's id of one that is from no
    registry."""


@dataclass(frozen=True)
class LocalBase:
    """A base image as an engine has it."""

    image_id: str
    pulled_as: str | None
    """By which digest its registry gave it. containerd's image store names one for every image."""

    @property
    def digest(self) -> str:
        """What it is known by in ``Built.bases``."""
        return self.pulled_as or self.image_id


class BuilderHook(BaseHook):
    """Build, inspect, tag and push on one engine. A context manager: its files go with it.

    :param docker_conn_id: Airflow Connection of type ``docker``: host ``unix:///…`` or
        ``tcp://host:2376``; TLS by ``tls_ca_cert``, ``tls_client_cert``, ``tls_client_key`` in the
        extra, as PEM text or path.
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
        try:
            connection = self.get_connection(self.docker_conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The Airflow Connection {self.docker_conn_id!r}, a builder in environments.yaml, "
                "does not exist; add it (type docker) with the engine's address as host."
            ) from None
        return EngineClient(
            engine_address(
                self.docker_conn_id, connection.host, connection.port, connection.extra_dejson
            )
        )

    def ping(self) -> None:
        """
        :raises BuildError: when the engine is too old, or (retryable) does not answer.
        :raises ConfigurationError: when the Connection is not there or not complete.
        """
        from docker.errors import InvalidVersion

        try:
            self._engine.api.ping()
            version = str(self._engine.api.api_version)
        except ManifestEngineError:
            raise
        except InvalidVersion as error:
            raise self._too_old(str(error).rstrip(".")) from error
        except Exception as error:
            raise BuildError(
                f"The builder {self.docker_conn_id!r} at {self._engine.address.url} does not "
                f"answer ({innermost(error)}); start its Docker engine, or correct the Connection.",
                retryable=True,
            ) from error
        if tuple(map(int, version.split("."))) < OLDEST_API:
            raise self._too_old(f"its API is {version}")

    def _too_old(self, why: str) -> BuildError:
        return BuildError(
            f"The builder {self.docker_conn_id!r} at {self._engine.address.url} is too old: {why}; "
            "install Docker Engine 23 or newer there."
        )

    def build(
        self,
        build: buildx.Build,
        context: Iterable[bytes],
        *,
        logins: Mapping[str, buildx.Login],
        deadline_seconds: float,
        dockerfile: str,
        on_line: Callable[[str], None],
    ) -> Built:
        """Build an image and keep it in the engine under ``build.tag``.

        :param context: the build context, a tar in chunks.
        :param logins: by registry; for the base image and the cache.
        :param dockerfile: how to call the Dockerfile in errors.
        :param on_line: takes each line of output as it comes.
        :raises BuildError: with the failing line and the last lines of its output.
        """
        begin = time.monotonic()
        self._run = BuildxRun(
            self.docker_conn_id, self._engine.address.variables(self._engine.folder)
        )
        if self._cancelled:
            self._run.cancel()
        image_id = self._run.image_id(
            build,
            context,
            logins=logins,
            deadline_seconds=deadline_seconds,
            dockerfile=dockerfile,
            on_line=on_line,
        )
        output, seconds = self._run.output, time.monotonic() - begin
        return Built(image_id, output.steps, output.cached_steps, seconds, self._bases(output))

    def cancel(self) -> None:
        """End a build that runs, also on the engine; may be called from a signal handler."""
        self._cancelled = True
        if self._run:
            self._run.cancel()

    def image_id(self, reference: str) -> str | None:
        """The id of a local image, None if the engine has none of that name."""
        from docker.errors import ImageNotFound

        try:
            return str(self._engine.api.inspect_image(reference)["Id"])
        except ImageNotFound:
            return None

    def local_base(self, reference: str) -> LocalBase | None:
        """A base image that is on the engine; None if it is not."""
        from docker.errors import ImageNotFound

        try:
            told = self._engine.api.inspect_image(reference)
        except ImageNotFound:
            return None
        pulled_as = base_images.digest_among(reference, told.get("RepoDigests") or [])
        return LocalBase(str(told["Id"]), pulled_as)

    def _bases(self, output: BuildOutput) -> dict[str, str]:
        found = {}
        for name, digest in output.bases.items():
            if base_images.is_pinned(name):
                continue
            if digest:
                found[name] = digest
            elif base := self.local_base(name):
                found[name] = base.digest
        return found

    def layers(self, image_id: str) -> Layers:
        """History and layers of a local image."""
        told = self._engine.api.inspect_image(image_id)["RootFS"].get("Layers") or []
        history = reversed(self._engine.api.history(image_id))
        return Layers(tuple(Step(entry["CreatedBy"]) for entry in history), tuple(told))

    def tag(self, image_id: str, image: str) -> None:
        """Give a local image a name ``host/repository:tag``."""
        repository, _, tag = image.rpartition(":")
        self._engine.api.tag(image_id, repository, tag)

    def push(self, image: str, login: buildx.Login, *, deadline_seconds: float) -> str:
        """Push ``host/repository:tag``.

        :return: the manifest's digest, as the engine says.
        :raises RegistryError: for the event that says why.
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
