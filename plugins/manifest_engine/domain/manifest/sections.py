"""The parts of a manifest that are objects themselves."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest import quantities
from manifest_engine.domain.manifest.values import Digest, ImageReference, Sha256, UrlPath


class Amounts(Model):
    """Kubernetes quantities of one container."""

    cpu: str = Field(description="CPU, e.g. `100m` or `1`.")
    memory: str = Field(description="Memory, e.g. `256Mi`.")

    @field_validator("cpu", "memory")
    @classmethod
    def _is_quantity(cls, text: str) -> str:
        quantities.parse(text)
        return text


class Resources(Model):
    """What the container may use. Requests must not exceed limits."""

    requests: Amounts = Amounts(cpu="50m", memory="128Mi")
    limits: Amounts = Amounts(cpu="1", memory="512Mi")

    @model_validator(mode="after")
    def _requests_fit(self) -> Resources:
        for kind in ("cpu", "memory"):
            request, limit = getattr(self.requests, kind), getattr(self.limits, kind)
            if quantities.parse(request) > quantities.parse(limit):
                raise ValueError(
                    f"requests.{kind} {request} is more than limits.{kind} {limit}; "
                    "lower the request or raise the limit"
                )
        return self


class Autoscale(Model):
    """A HorizontalPodAutoscaler on CPU use; `replicas` is then not applied."""

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
    """The request that the new image must answer before anything is deployed."""

    path: UrlPath | None = Field(None, description="Path to ask; the health path if empty.")
    expect_status: int = Field(200, ge=100, le=599, description="HTTP status that must come.")
    expect_body: str | None = Field(None, description="Text that the body must contain.")
    timeout_seconds: int = Field(60, ge=1, le=600, description="How long it may take to come up.")


class Route(Model):
    """How the public route reaches the service."""

    strip_prefix: bool = Field(
        True, description="The service sees `/x`, not `/datafactory/{component}/{serviceName}/x`."
    )


class Rebuild(Model):
    """What a rebuild was planned from. `rebuild_services` sets it; nobody else needs it."""

    release_hash: str = Field(description="Of the live release; nothing is done to another one.")
    digest: Digest = Field(description="Of the live image; the same one is not rolled out again.")
    artifact_sha256: Sha256 | None = Field(None, description="Of the artifact that it runs.")
    bases: dict[ImageReference, Digest] = Field(
        default_factory=dict,
        max_length=128,
        description="Base images, and the digests that are theirs now.",
    )
    no_cache: bool = Field(False, description="Run each step of the Dockerfile anew.")
