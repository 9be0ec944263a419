"""The manifest: a deployment's flat run conf, and the single source of its schema and its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from manifest_engine.domain import names, problems, quantities
from manifest_engine.domain.errors import ManifestError

_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_SECRET_KEY = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")
_URL_PATH = r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
"""RFC 3986: path-absolute with an optional query, in ASCII."""
_PEP440_PUBLIC = r"^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?$"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
UrlPath = Annotated[str, StringConstraints(pattern=_URL_PATH, max_length=1024)]


class Model(BaseModel):
    """Frozen, camelCase in JSON, and unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        strict=True,
        hide_input_in_errors=True,
    )


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
    digest: str = Field(description="Of the live image; the same one is not rolled out again.")
    artifact_sha256: Sha256 | None = Field(None, description="Of the artifact that it runs.")
    bases: dict[str, str] = Field(
        default_factory=dict, description="Base images, and the digests that are theirs now."
    )
    no_cache: bool = Field(False, description="Run each step of the Dockerfile anew.")


class Manifest(Model):
    """What is asked for: one service, one version, one environment."""

    component: str = Field(
        title="Component",
        description="The group of services it belongs to, e.g. `pricing`. Lower case, digits, `-`.",
        examples=["pricing"],
    )
    service_name: str = Field(
        title="Service name",
        description="E.g. `quote-service`. Lower case, digits, `-`.",
        examples=["quote-service"],
    )
    version: str = Field(
        title="Version",
        description="Becomes the image's tag, e.g. `1.4.0`.",
        examples=["1.4.0"],
    )
    environment: str = Field(
        title="Environment",
        description="Where it shall run; one of `environments.yaml`.",
        examples=["dev"],
    )
    artifact: str | None = Field(
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
    utils_version: Annotated[str, StringConstraints(pattern=_PEP440_PUBLIC)] | None = Field(
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
    env: dict[str, str] = Field(
        default_factory=dict,
        title="Environment variables",
        description='E.g. `{"ENVIRONMENT": "Development"}`. Nothing secret: the audit shows it.',
        json_schema_extra={"section": "How it runs"},
    )
    secret_env: dict[str, str] = Field(
        default_factory=dict,
        title="Secret environment variables",
        description="Variable to `secret-name/key` of a Kubernetes Secret in the namespace, e.g. "
        '`{"DB_PASSWORD": "quote-db/password"}`.',
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
        description="Set by `rebuild_services`: what is live is built again. Not recorded.",
    )

    @field_validator("component", "service_name")
    @classmethod
    def _is_label(cls, text: str) -> str:
        if not re.fullmatch(names.DNS_LABEL, text):
            nearest = names.suggest_dns_label(text)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise ValueError(
                f"{text!r} is no valid name (lower-case letters, digits and '-', "
                f"at most {names.LABEL_MAX} characters){hint}"
            )
        return text

    @field_validator("version")
    @classmethod
    def _is_version(cls, text: str) -> str:
        if text == names.CACHE_TAG:
            raise ValueError(f"{text!r} is the tag of the build cache; choose another version")
        if not re.fullmatch(names.VERSION, text):
            raise ValueError(
                f"{text!r} is no valid version: letters, digits, '.', '_' and '-', beginning and "
                f"ending with a letter or digit, at most {names.LABEL_MAX} characters"
            )
        return text

    @field_validator("artifact")
    @classmethod
    def _is_artifact(cls, text: str | None) -> str | None:
        if text is None:
            return None
        if "://" in text:
            raise ValueError("give the path in Artifactory, repo/path/file.zip, not the URL")
        parts = text.split("/")
        if (
            len(parts) < 2
            or any(part in ("", ".", "..") for part in parts)
            or not text.isprintable()
        ):
            raise ValueError(f"{text!r} is no path of the form repo/path/file.zip")
        if not text.lower().endswith(".zip"):
            raise ValueError(f"{text!r} does not end in .zip; only ZIP artifacts can be deployed")
        return text

    @field_validator("env", "secret_env")
    @classmethod
    def _are_variables(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if not _ENV_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name of an environment variable (letters, digits and '_', "
                    "not beginning with a digit)"
                )
        return variables

    @field_validator("secret_env")
    @classmethod
    def _are_secret_keys(cls, variables: dict[str, str]) -> dict[str, str]:
        for name, target in variables.items():
            if not _SECRET_KEY.fullmatch(target):
                raise ValueError(
                    f"{name} must name a key of a Kubernetes Secret as secret-name/key; "
                    "the value that stands there is not repeated here, in case it is the secret"
                )
        return variables

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


def parse(conf: Mapping[str, Any]) -> Manifest:
    """Read a run conf. A key whose value is null counts as not given, as the UI's form sends it.

    :raises ManifestError: naming every problem, with the nearest known key or a valid name.
    """
    given = {key: value for key, value in conf.items() if value is not None}
    try:
        return Manifest.model_validate(given)
    except ValidationError as error:
        found = [problems.sentence(item, Manifest) for item in error.errors(include_url=False)]
        raise ManifestError(f"The manifest is not valid: {'; '.join(found)}.") from None


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the manifest, as ``include/manifest.schema.json`` holds it."""
    made = Manifest.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Manifest of a deployment",
    }


if __name__ == "__main__":
    import json
    import sys

    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
