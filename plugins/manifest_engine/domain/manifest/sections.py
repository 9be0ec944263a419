"""The nested objects of a manifest."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest.values import (
    Digest,
    ImageReference,
    Sha256,
    UrlPath,
    quantity,
)

SECONDS_MAX = 86_400
"""A day. A duration of Gateway API has at most five digits (GEP-2257)."""


class Amounts(Model):
    """Kubernetes quantities of one container."""

    cpu: str = Field(description="CPU, e.g. `100m` or `1`.")
    memory: str = Field(description="Memory, e.g. `256Mi`.")

    @field_validator("cpu", "memory")
    @classmethod
    def _is_quantity(cls, text: str) -> str:
        quantity(text)
        return text


class Resources(Model):
    """Requests and limits of the container. A request must not exceed its limit."""

    requests: Amounts = Amounts(cpu="50m", memory="128Mi")
    limits: Amounts = Amounts(cpu="1", memory="512Mi")

    @model_validator(mode="after")
    def _requests_fit(self) -> Resources:
        for kind in ("cpu", "memory"):
            request, limit = getattr(self.requests, kind), getattr(self.limits, kind)
            if quantity(request) > quantity(limit):
                raise ValueError(
                    f"requests.{kind} {request} is more than limits.{kind} {limit}; "
                    "lower the request or raise the limit"
                )
        return self


class Autoscale(Model):
    """A HorizontalPodAutoscaler on CPU use. `replicas` is then ignored."""

    min_replicas: int = Field(ge=1, le=100)
    max_replicas: int = Field(ge=1, le=100)
    target_cpu_percent: int = Field(70, ge=1, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Autoscale:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas {self.min_replicas} is more than maxReplicas {self.max_replicas}"
            )
        return self


class SmokeTest(Model):
    """The request that a pod of the new image must answer before the deployment."""

    path: UrlPath | None = Field(None, description="Path of the request; empty: the health path.")
    expect_status: int = Field(200, ge=100, le=599, description="Expected HTTP status.")
    expect_body: str | None = Field(None, description="Text that the body must contain.")
    timeout_seconds: int = Field(60, ge=1, le=600, description="Startup time in seconds.")


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
