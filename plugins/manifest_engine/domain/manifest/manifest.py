"""The manifest: the flat run conf of a deployment. Schema and form derive from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic.config import JsonDict

from manifest_engine.domain.core import names, problems
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.manifest.sections import (
    SECONDS_MAX,
    Autoscale,
    Rebuild,
    Resources,
    Route,
    SmokeTest,
)
from manifest_engine.domain.manifest.values import (
    ArtifactPath,
    Label,
    PackageVersion,
    SecretVariables,
    Sha256,
    UrlPath,
    Variables,
    Version,
)

_SOURCE: JsonDict = {"section": "Artifact source"}
_RUNTIME: JsonDict = {"section": "Runtime"}
_CHECKS: JsonDict = {"section": "Checks and route"}
_RECORD: JsonDict = {"section": "Owner and notes"}
"""Sections of the form and of the reference page."""


class Manifest(Model):
    """A request to deploy one version of one service to one environment."""

    component: Label = Field(
        title="Component",
        description="The group of the service, e.g. `pricing`. Lower case, digits, `-`.",
        examples=["pricing"],
    )
    service_name: Label = Field(
        title="Service name",
        description="E.g. `quote-service`. Lower case, digits, `-`.",
        examples=["quote-service"],
    )
    version: Version = Field(
        title="Version",
        description="Version of the service and tag of the image, e.g. `1.4.0`.",
        examples=["1.4.0"],
    )
    environment: str = Field(
        max_length=names.LABEL_MAX,
        title="Environment",
        description="The target; one of the environments in `environments.yaml`.",
        examples=["dev"],
    )
    artifact: ArtifactPath | None = Field(
        None,
        title="Artifact",
        description="Path of the ZIP in Artifactory, `repo/path/file.zip`. Empty: by convention "
        "`{repo}/{component}/{serviceName}/{version}/{serviceName}-{version}.zip`.",
        json_schema_extra=_SOURCE,
    )
    artifact_sha256: Sha256 | None = Field(
        None,
        title="SHA-256 of the artifact",
        description="64 hexadecimal digits; checked when given.",
        json_schema_extra=_SOURCE,
    )
    utils_version: PackageVersion | None = Field(
        None,
        title="Version of internal-utils",
        description="Installs `internal-utils==x.y.z` from the private index; empty: none.",
        examples=["1.4.2"],
        json_schema_extra=_SOURCE,
    )
    port: int = Field(
        8002,
        ge=1,
        le=65535,
        title="Port",
        description="The port on which the service listens.",
        json_schema_extra=_RUNTIME,
    )
    env: Variables = Field(
        default_factory=dict,
        title="Environment variables",
        description='E.g. `{"ENVIRONMENT": "Development"}`. No secrets: the audit shows them.',
        json_schema_extra=_RUNTIME,
    )
    secret_env: SecretVariables = Field(
        default_factory=dict,
        title="Secret environment variables",
        description="Variable to `secret-name/key` of a Kubernetes Secret in the namespace, e.g. "
        '`{"DB_PASSWORD": "pricing-quotes-db/password"}`. The Secret\'s name is '
        "`{component}-{serviceName}` or begins with `{component}-{serviceName}-`, or the "
        "environment lists the Secret.",
        json_schema_extra=_RUNTIME,
    )
    replicas: int = Field(
        2,
        ge=1,
        le=100,
        title="Replicas",
        description="Number of pods; ignored when autoscale is set.",
        json_schema_extra=_RUNTIME,
    )
    resources: Resources = Field(
        default_factory=Resources,
        title="Resources",
        description="Requests and limits of CPU and memory.",
        json_schema_extra=_RUNTIME,
    )
    autoscale: Autoscale | None = Field(
        None,
        title="Autoscale",
        description='`{"minReplicas": 2, "maxReplicas": 6, "targetCpuPercent": 70}`; empty: off.',
        json_schema_extra=_RUNTIME,
    )
    shutdown_seconds: int | None = Field(
        None,
        ge=1,
        le=SECONDS_MAX,
        title="Shutdown time",
        description="Seconds that a pod has to finish its running requests when the pod ends, e.g. "
        "`120`. Empty: as long as a request may take (`route.timeoutSeconds`); 60 if that is 0.",
        json_schema_extra=_RUNTIME,
    )
    health_path: UrlPath = Field(
        "/health",
        title="Health path",
        description="Path that answers 200 when the service is ready; for the readiness probe, the "
        "liveness probe and, by default, the smoke test.",
        json_schema_extra=_CHECKS,
    )
    smoke_test: SmokeTest = Field(
        default_factory=SmokeTest,
        title="Smoke test",
        description="The request to a pod of the new image before the deployment: `path`, "
        "`expectStatus`, `expectBody`, `timeoutSeconds`.",
        json_schema_extra=_CHECKS,
    )
    route: Route = Field(
        default_factory=Route,
        title="Route",
        description="`stripPrefix`: remove the route's prefix from the path of each request. "
        "`timeoutSeconds`: how long a request may take; 0 for streams.",
        json_schema_extra=_CHECKS,
    )
    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Show the changes without building or applying anything.",
        json_schema_extra=_CHECKS,
    )
    owner: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None,
        title="Owner",
        description="Person or team responsible for the service.",
        json_schema_extra=_RECORD,
    )
    notes: Annotated[str, StringConstraints(max_length=4000)] | None = Field(
        None,
        title="Notes",
        description="The reason for this deployment, for the audit.",
        json_schema_extra={**_RECORD, "format": "multiline"},
    )

    rebuild: Rebuild | None = Field(
        None,
        title="Rebuild",
        description="Set by `rebuild_services` alone, to rebuild the live release. Not recorded.",
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Manifest:
        name = self.object_name
        if len(name) > names.LABEL_MAX:
            raise ValueError(
                f"component and serviceName make {name!r}, {len(name)} characters; Kubernetes "
                f"allows {names.LABEL_MAX}: shorten one by {len(name) - names.LABEL_MAX}"
            )
        if not name[0].isalpha():
            raise ValueError(
                f"component {self.component!r} must begin with a letter, because the "
                "name of a Kubernetes Service must (RFC 1035)"
            )
        both = sorted(self.env.keys() & self.secret_env.keys())
        if both:
            raise ValueError(f"{both[0]} is in env and in secretEnv; keep only one of them")
        return self

    @model_validator(mode="after")
    def _shutdown_fits(self) -> Manifest:
        request, shutdown = self.route.timeout_seconds, self.shutdown_seconds
        if request is not None and shutdown is not None and shutdown < request:
            raise ValueError(
                f"shutdownSeconds {shutdown} is less than route.timeoutSeconds {request}, so a pod "
                "could end before its requests; raise shutdownSeconds or leave it out"
            )
        return self

    @property
    def object_name(self) -> str:
        """Name of the service's objects in Kubernetes."""
        return names.object_name(self.component, self.service_name)

    @property
    def smoke_path(self) -> str:
        return self.smoke_test.path or self.health_path


def parse(conf: Mapping[str, Any], *, max_bytes: int = run_conf.MAX_BYTES) -> Manifest:
    """Read a run conf. A key with the value null counts as not given, since the UI's form sends it.

    :param max_bytes: limit of the conf as compact JSON in UTF-8.
    :raises ManifestError: naming the problems, with the nearest known key or a valid name.
    """
    run_conf.require_small(conf, max_bytes)
    run_conf.require_printable(conf)
    given = {key: value for key, value in conf.items() if value is not None}
    try:
        return Manifest.model_validate(given)
    except ValidationError as error:
        found = problems.sentences(error, Manifest)
        raise ManifestError(f"The manifest is not valid: {found}.") from None
