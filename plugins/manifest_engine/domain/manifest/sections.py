"""The nested objects of a manifest."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.pods import Capability
from manifest_engine.domain.manifest.values import (
    Digest,
    ImageReference,
    Sha256,
    UrlPath,
)

SECONDS_MAX = 86_400
"""A day. A duration of Gateway API has at most five digits (GEP-2257)."""


class Autoscale(Model):
    """A HorizontalPodAutoscaler on CPU use. `replicas` is then ignored."""

    min_replicas: int = Field(ge=1, le=100)
    max_replicas: int = Field(ge=1, le=100)
    target_cpu_percent: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Average CPU use, in percent of `resources.requests.cpu`, above which pods are "
        "added. Empty: 70 percent of `resources.limits.cpu`, so that a small request does not add "
        "pods that have nothing to do.",
        examples=[70],
    )

    @model_validator(mode="after")
    def _ordered(self) -> Autoscale:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas {self.min_replicas} is more than maxReplicas {self.max_replicas}"
            )
        return self


class _Check(Model):
    """What the kubelet checks, and how often."""

    port: int | None = Field(
        None, ge=1, le=65535, description="Port of the check; empty: the service's `port`."
    )
    grpc_service: str = Field(
        "",
        max_length=200,
        description="For `grpc`: the service name in the request of the gRPC health checking "
        "protocol.",
    )
    command: list[Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default_factory=list,
        max_length=32,
        description='For `exec`: the command and its arguments, e.g. `["/healthcheck"]`; no shell.',
    )

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        kind = getattr(self, "kind", "")
        if (kind == "exec") != bool(self.command):
            raise ValueError("kind exec and command belong together; give both or neither")
        if self.grpc_service and kind != "grpc":
            raise ValueError("grpcService is for kind grpc; set the kind or leave it out")
        return self


class Readiness(_Check):
    """The check that decides whether a pod gets requests. The startup check is the same check, once
    a second for `startupSeconds`."""

    kind: Literal["http", "tcp", "grpc", "exec"] = Field(
        "http",
        description="`http`: a GET of `healthPath`, right with a status from 200 to 399. `tcp`: a "
        "connection. `grpc`: the gRPC health checking protocol. `exec`: a command in the container "
        "that ends with 0.",
    )
    period_seconds: int = Field(5, ge=1, le=300, description="Seconds between two checks.")
    timeout_seconds: int = Field(3, ge=1, le=60, description="Seconds that one check may take.")
    failure_threshold: int = Field(
        2, ge=1, le=100, description="Failed checks in a row after which a pod gets no requests."
    )


class Liveness(_Check):
    """The check that decides whether a running container is restarted. The default is a TCP
    connection: `healthPath` may ask a database, and a restart of every pod does not repair a
    database. A process that ends is restarted without a check."""

    kind: Literal["tcp", "http", "grpc", "exec", "none"] = Field(
        "tcp", description="As in `readiness`; `none`: no check beyond the end of the process."
    )
    path: UrlPath | None = Field(
        None,
        description="For `http`: a path that asks no other system, e.g. `/livez`; empty: "
        "`healthPath`.",
    )
    period_seconds: int = Field(10, ge=1, le=300, description="Seconds between two checks.")
    timeout_seconds: int = Field(5, ge=1, le=60, description="Seconds that one check may take.")
    failure_threshold: int = Field(
        3, ge=1, le=100, description="Failed checks in a row after which a container is restarted."
    )

    @model_validator(mode="after")
    def _path_fits(self) -> Self:
        if self.path and self.kind != "http":
            raise ValueError("path is for kind http; set the kind or leave the path out")
        return self


class SmokeTest(Model):
    """The request that a pod of the new image must answer before the deployment, as soon as the pod
    is ready."""

    path: UrlPath | None = Field(None, description="Path of the request; empty: the health path.")
    expect_status: int | None = Field(
        None, ge=100, le=599, description="Expected HTTP status; empty: any from 200 to 299."
    )
    expect_body: str | None = Field(None, description="Text that the body must contain.")
    timeout_seconds: int = Field(
        60, ge=1, le=600, description="Seconds that a ready pod has to give the expected answer."
    )

    def problem(self, status: int, body: str) -> str:
        """What is wrong with an answer; empty if nothing is."""
        expected = (self.expect_status,) if self.expect_status else range(200, 300)
        if status not in expected:
            return f"answers {status} instead of {self.expect_status or 200}"
        if self.expect_body and self.expect_body not in body:
            return f"answers {status}, but without {self.expect_body[:100]!r} in the body"
        return ""


class Route(Model):
    """The public route of the service."""

    strip_prefix: bool = Field(
        True, description="The service sees `/x`, not `/datafactory/{component}/{serviceName}/x`."
    )
    timeout_seconds: int | None = Field(
        None,
        ge=0,
        le=SECONDS_MAX,
        description="Seconds that a request may take, e.g. `120`. Empty: 60, or less if "
        "`shutdownSeconds` or the environment allows less. 0: no limit, for streams.",
    )


class Security(Model):
    """What the container may do beyond the default, which is no capability at all. The environment
    limits it by `pods.allowRoot` and `pods.allowedCapabilities`."""

    pid1: bool = Field(
        False,
        description="Run the image's entry point as process 1, for images whose init system (s6, "
        "systemd, tini -s) must be. A process 1 that does not handle SIGTERM is killed after the "
        "grace period.",
    )
    run_as_root: bool = Field(
        False, description="Run as user 0, whatever `USER` the Dockerfile sets."
    )
    capabilities: list[Capability] = Field(
        default_factory=list,
        max_length=16,
        description='Linux capabilities that the container keeps, e.g. `["NET_BIND_SERVICE"]`.',
    )


class Rebuild(Model):
    """The live release that a rebuild replaces. Only `rebuild_services` sets this block."""

    release_hash: str = Field(
        description="Hash of the live release. The rebuild stops if another release is live."
    )
    digest: Digest = Field(
        description="Digest of the live image. A rebuild with the same digest is not rolled out."
    )
    artifact_sha256: Sha256 | None = Field(None, description="SHA-256 of the live artifact.")
    bases: dict[ImageReference, Digest] = Field(
        default_factory=dict,
        max_length=128,
        description="Base images and their current digests.",
    )
    no_cache: bool = Field(False, description="Build without the cache.")
