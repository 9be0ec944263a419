"""Models of the API's answers. FastAPI checks each answer and makes the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

State = Literal[
    "queued",
    "running",
    "waiting for approval",
    "live",
    "planned",
    "removed",
    "failed",
    "rolled back",
    "superseded",
    "cancelled",
]
Action = Literal["deploy", "rebuild", "rollback", "restart", "remove"]
StepState = Literal[
    "waiting", "running", "waiting for approval", "retrying", "succeeded", "skipped", "failed"
]
ServiceState = Literal[
    "running", "degraded", "stopped", "rolling out", "removing", "unknown", "not deployed"
]
Outcome = Literal["succeeded", "failed", "running"]
_TIME = "ISO 8601, in UTC."
_DIGEST = "sha256:9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
_SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
_ZIP = "datafactory/pricing/quotes/1.4.0/quotes-1.4.0.zip"
_URL = "https://dev.example.com/datafactory/pricing/quotes"
_WHEN = "2026-11-27T08:30:00.000+00:00"
_ID = "api__20261127T083000__9f86d081"


class Answer(BaseModel):
    """Base of all models: names in JSON are camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Started(Answer):
    """A deployment that was started or changed."""

    id: str = Field(description="Id of the deployment.", examples=[_ID])
    state: State = Field(examples=["queued"])


class Step(Answer):
    """A step of a deployment."""

    name: str = Field(examples=["build_image"])
    state: StepState = Field(examples=["succeeded"])
    tries: int = Field(examples=[1])
    started_at: str | None = Field(examples=[_WHEN])
    ended_at: str | None = Field(examples=[_WHEN])
    seconds: float | None = Field(examples=[12.5])


class Deployment(Answer):
    """A deployment, rollback, restart or removal."""

    id: str = Field(examples=[_ID])
    action: Action = Field(examples=["deploy"])
    state: State = Field(examples=["live"])
    component: str | None = Field(examples=["pricing"])
    service_name: str | None = Field(examples=["quotes"])
    version: str | None = Field(examples=["1.4.0"])
    environment: str | None = Field(examples=["dev"])
    requested_by: str | None = Field(examples=["ada"])
    requested_from: str | None = Field(
        description="`rest_api`, `ui`, `cli`, `operator` or `timetable`.", examples=["rest_api"]
    )
    requested_at: str | None = Field(description=_TIME, examples=[_WHEN])
    started_at: str | None = Field(description=_TIME, examples=[_WHEN])
    ended_at: str | None = Field(description=_TIME, examples=[_WHEN])
    artifact: str | None = Field(description="Path of the ZIP in Artifactory.", examples=[_ZIP])
    artifact_sha256: str | None = Field(alias="artifactSha256", examples=[_SHA256])
    digest: str | None = Field(description="Digest of the image.", examples=[_DIGEST])
    url: str | None = Field(
        description="The public URL, once the service answers there.", examples=[_URL]
    )
    approved_by: str | None = Field(examples=["grace"])
    failed_step: str | None = Field(
        description="The step that failed first.", examples=["build_image"]
    )
    error: str | None = Field(description="Why the deployment failed, and what to do.")
    changes: list[Any] | None = Field(
        description="Only in a dry run: what would change, by object."
    )
    choices: list[str] | None = Field(
        description="Only in the dry run of a rollback: the releases to choose from, newest first."
    )
    steps: list[Step]


class DeploymentPage(Answer):
    """Deployments, newest first."""

    items: list[Deployment]
    total: int = Field(description="Number of deployments on all pages.")
    next: str | None = Field(description="`cursor` of the next page; null on the last page.")


class Base(Answer):
    """A base image of a release."""

    image: str = Field(examples=["docker.io/library/python:3.11"])
    digest: str = Field(
        description="Digest of the base image at the time of the build.", examples=[_DIGEST]
    )
    outdated: bool | None = Field(
        description="Whether the last nightly run found another digest for `image`; null: unknown."
    )


class LastResult(Answer):
    """The newest deployment, rollback, restart or removal of a service."""

    id: str = Field(examples=[_ID])
    action: Action = Field(examples=["deploy"])
    state: State = Field(examples=["failed"])
    version: str | None = Field(examples=["1.5.0"])
    requested_at: str | None = Field(description=_TIME, examples=[_WHEN])
    requested_by: str | None = Field(examples=["ada"])
    failed_step: str | None = Field(examples=["smoke_test"])
    error: str | None


class Placed(Answer):
    """A service in one environment."""

    component: str = Field(examples=["pricing"])
    service_name: str = Field(examples=["quotes"])
    environment: str = Field(examples=["dev"])
    state: ServiceState = Field(examples=["running"])
    observed: bool = Field(
        description="true: the present state of the cluster. false: the last known state; "
        "`environments` or `unobserved` names the reason."
    )
    url: str | None = Field(examples=[_URL])
    version: str | None = Field(examples=["1.4.0"])
    digest: str | None = Field(examples=[_DIGEST])
    ready: int | None = Field(description="Ready pods; null: unknown.", examples=[2])
    desired: int | None = Field(description="Desired pods; null: unknown.", examples=[2])
    since: str | None = Field(description="When the release was requested.", examples=[_WHEN])
    requested_by: str | None = Field(examples=["ada"])
    deployment_id: str | None = Field(
        description="The deployment that made the live release.", examples=[_ID]
    )
    artifact: str | None = Field(examples=[_ZIP])
    artifact_sha256: str | None = Field(alias="artifactSha256", examples=[_SHA256])
    bases: list[Base]
    base_outdated: bool | None = Field(description="Whether any base image is outdated.")
    last_result: LastResult | None


class Observed(Answer):
    """Whether an environment's cluster has answered."""

    name: str = Field(examples=["dev"])
    observed: bool
    observed_at: str | None = Field(description="When the cluster was read last.")
    reason: str | None = Field(description="Why the present state is not known.")


class ServicePage(Answer):
    """A row for each service in each environment."""

    items: list[Placed]
    total: int = Field(description="Number of rows on all pages.")
    next: str | None = Field(description="`cursor` of the next page; null on the last page.")
    environments: list[Observed]


class PlacedService(Placed):
    """A service in one environment, with its manifest and what the caller may do."""

    manifest: dict[str, Any] | None = Field(
        description="The manifest of the live release; null if the cluster has none or does not "
        "answer."
    )
    allowed: list[Literal["deploy", "rollback", "restart", "remove"]] = Field(
        description="What the caller may do with the service here."
    )


class Service(Answer):
    """A service in all environments that have or had the service."""

    component: str = Field(examples=["pricing"])
    service_name: str = Field(examples=["quotes"])
    environments: list[PlacedService]
    unobserved: list[Observed] = Field(description="Environments whose clusters do not answer.")


class Change(Answer):
    """A value that differs between two deployments."""

    field: str = Field(examples=["env.LEVEL"])
    before: Any = Field(alias="from")
    after: Any = Field(alias="to")


class Compared(Answer):
    """One of two deployments that are compared."""

    id: str = Field(examples=[_ID])
    action: Action
    state: State
    environment: str | None
    version: str | None
    digest: str | None
    artifact: str | None
    artifact_sha256: str | None = Field(alias="artifactSha256")
    requested_at: str | None
    requested_by: str | None


class Difference(Answer):
    """What differs between two deployments."""

    before: Compared = Field(alias="from")
    after: Compared = Field(alias="to")
    manifest: list[Change] = Field(
        description="The manifest's fields that differ. Values that may be secret are `***`."
    )
    same_artifact: bool | None = Field(description="null: unknown.")
    same_image: bool | None = Field(description="null: unknown.")
    bases: list[Change] = Field(description="The base images that differ.")


class RollbackRequest(Answer):
    """The environment and the release of a rollback."""

    model_config = ConfigDict(extra="forbid", strict=True)

    environment: str = Field(min_length=1, max_length=63, examples=["dev"])
    version: str | None = Field(
        None,
        max_length=128,
        description="Version or first characters of the digest of a release that the cluster "
        "keeps. Default: the last release with other code or other settings.",
        examples=["1.3.0"],
    )
    dry_run: bool = Field(
        False,
        description="Only list the releases and what the rollback would change.",
    )
    take_over: bool = Field(False, description="Overwrite changes that were made by hand.")


class RestartRequest(Answer):
    """The environment of a restart."""

    model_config = ConfigDict(extra="forbid", strict=True)

    environment: str = Field(min_length=1, max_length=63, examples=["dev"])


class ManifestProblem(Answer):
    """One problem of a manifest."""

    pointer: str = Field(description="JSON pointer (RFC 6901).", examples=["/prot"])
    detail: str = Field(examples=["unknown key 'prot' (did you mean 'port'?)"])


class Validity(Answer):
    """Whether a manifest is valid."""

    valid: bool
    errors: list[ManifestProblem]


class EnvironmentInfo(Answer):
    """An environment that the caller may deploy to."""

    name: str = Field(examples=["dev"])
    description: str = Field(examples=["Development"])
    url: str = Field(examples=["https://dev.example.com"])
    approval: bool = Field(description="Whether a person must approve each deployment.")
    components: list[str] = Field(
        description="Components that may be deployed; `*` matches any characters.",
        examples=[["*"]],
    )


class Environments(Answer):
    """The environments that the caller may deploy to."""

    environments: list[EnvironmentInfo]


class Artifact(Answer):
    """A version of a service in Artifactory."""

    version: str = Field(examples=["1.4.0"])
    path: str = Field(examples=[_ZIP])
    size: int = Field(description="Bytes.", examples=[48213])
    published_at: str | None = Field(description=_TIME, examples=[_WHEN])
    sha256: str | None = Field(examples=[_SHA256])


class Artifacts(Answer):
    """The versions of a service in Artifactory, newest first."""

    items: list[Artifact]
    complete: bool = Field(description="Whether all versions are listed.")


class Problem(Answer):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(
        description="What was found and what to do.",
        examples=["There is no deployment with this id."],
    )
    errors: list[ManifestProblem] | None = Field(
        None, description="Only for a refused manifest: all its problems."
    )
