"""The manifest: a deployment's flat run conf, and the single source of its schema and its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator

from manifest_engine.domain.core import names, problems
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.manifest.sections import Autoscale, Rebuild, Resources, Route, SmokeTest
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


class Manifest(Model):
    """What is asked for: one service, one version, one environment."""

    component: Label = Field(
        title="Component",
        description="The group of services it belongs to, e.g. `pricing`. Lower case, digits, `-`.",
        examples=["pricing"],
    )
    service_name: Label = Field(
        title="Service name",
        description="E.g. `quote-service`. Lower case, digits, `-`.",
        examples=["quote-service"],
    )
    version: Version = Field(
        title="Version",
        description="Becomes the image's tag, e.g. `1.4.0`.",
        examples=["1.4.0"],
    )
    environment: str = Field(
        max_length=names.LABEL_MAX,
        title="Environment",
        description="Where it runs; one of `environments.yaml`.",
        examples=["dev"],
    )
    artifact: ArtifactPath | None = Field(
        None,
        title="Artifact",
        description="Path of the ZIP in Artifactory, `repo/path/file.zip`. Empty: by convention "
        "`{repo}/{component}/{serviceName}/{version}/{serviceName}-{version}.zip`.",
        json_schema_extra={"section": "Where it comes from"},
    )
    artifact_sha256: Sha256 | None = Field(
        None,
        title="SHA-256 of the artifact",
        description="64 hexadecimal digits; checked when given.",
        json_schema_extra={"section": "Where it comes from"},
    )
    utils_version: PackageVersion | None = Field(
        None,
        title="Version of internal-utils",
        description="Installs `internal-utils==x.y.z` from the private index; empty: none.",
        examples=["1.4.2"],
        json_schema_extra={"section": "Where it comes from"},
    )
    port: int = Field(
        8002,
        ge=1,
        le=65535,
        title="Port",
        description="Port that the service listens on.",
        json_schema_extra={"section": "How it runs"},
    )
    env: Variables = Field(
        default_factory=dict,
        title="Environment variables",
        description='E.g. `{"ENVIRONMENT": "Development"}`. Nothing secret: the audit shows it.',
        json_schema_extra={"section": "How it runs"},
    )
    secret_env: SecretVariables = Field(
        default_factory=dict,
        title="Secret environment variables",
        description="Variable to `secret-name/key` of a Kubernetes Secret in the namespace, e.g. "
        '`{"DB_PASSWORD": "pricing-quotes-db/password"}`. The Secret is named '
        "`{component}-{serviceName}`, or that with `-` and more, or the environment lists it.",
        json_schema_extra={"section": "How it runs"},
    )
    replicas: int = Field(
        2,
        ge=1,
        le=100,
        title="Replicas",
        description="Number of pods; not applied with autoscale.",
        json_schema_extra={"section": "How it runs"},
    )
    resources: Resources = Field(
        default_factory=Resources,
        title="Resources",
        description="Requests and limits of CPU and memory.",
        json_schema_extra={"section": "How it runs"},
    )
    autoscale: Autoscale | None = Field(
        None,
        title="Autoscale",
        description='`{"minReplicas": 2, "maxReplicas": 6, "targetCpuPercent": 70}`; empty: off.',
        json_schema_extra={"section": "How it runs"},
    )
    health_path: UrlPath = Field(
        "/health",
        title="Health path",
        description="Answers 200 when the service can take requests: readiness, liveness and the "
        "default smoke test ask it.",
        json_schema_extra={"section": "How it is checked"},
    )
    smoke_test: SmokeTest = Field(
        default_factory=SmokeTest,
        title="Smoke test",
        description="What a pod of the new image is asked before anything is deployed: `path`, "
        "`expectStatus`, `expectBody`, `timeoutSeconds`.",
        json_schema_extra={"section": "How it is checked"},
    )
    route: Route = Field(
        default_factory=Route,
        title="Route",
        description="`stripPrefix`: the service does not see the route's prefix.",
        json_schema_extra={"section": "How it is checked"},
    )
    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Show what would change, and build and apply nothing.",
        json_schema_extra={"section": "How it is checked"},
    )
    owner: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None,
        title="Owner",
        description="Who answers for the service.",
        json_schema_extra={"section": "For the record"},
    )
    notes: Annotated[str, StringConstraints(max_length=4000)] | None = Field(
        None,
        title="Notes",
        description="Why this deployment; stands in the audit.",
        json_schema_extra={"section": "For the record", "format": "multiline"},
    )

    rebuild: Rebuild | None = Field(
        None,
        title="Rebuild",
        description="Set by `rebuild_services` alone: what is live is built again. Not recorded.",
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Manifest:
        name = names.object_name(self.component, self.service_name)
        if len(name) > names.LABEL_MAX:
            raise ValueError(
                f"component and serviceName make {name!r}, {len(name)} characters; Kubernetes "
                f"takes {names.LABEL_MAX}: shorten one by {len(name) - names.LABEL_MAX}"
            )
        if not name[0].isalpha():
            raise ValueError(
                f"component {self.component!r} must begin with a letter, since a Kubernetes "
                "Service's name does (RFC 1035)"
            )
        both = sorted(self.env.keys() & self.secret_env.keys())
        if both:
            raise ValueError(f"{both[0]} stands in env and in secretEnv; keep one of them")
        return self

    @property
    def smoke_path(self) -> str:
        return self.smoke_test.path or self.health_path


def parse(conf: Mapping[str, Any], *, most: int = run_conf.MAX_BYTES) -> Manifest:
    """Read a run conf. A key whose value is null counts as not given, as the UI's form sends it.

    :param most: bytes of the conf.
    :raises ManifestError: naming every problem, with the nearest known key or a valid name.
    """
    run_conf.require_small(conf, most)
    run_conf.require_printable(conf)
    given = {key: value for key, value in conf.items() if value is not None}
    try:
        return Manifest.model_validate(given)
    except ValidationError as error:
        found = problems.sentences(error, Manifest)
        raise ManifestError(f"The manifest is not valid: {found}.") from None
