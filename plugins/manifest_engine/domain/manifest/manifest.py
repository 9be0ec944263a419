"""The manifest: the flat run conf of a deployment. Schema and form derive from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from manifest_engine.domain.core import names
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.amounts import Resources
from manifest_engine.domain.environment.builds import Platform
from manifest_engine.domain.environment.pods import Variables
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.manifest.mounts import Files, ObjectName, Volumes, overlap
from manifest_engine.domain.manifest.sections import (
    SECONDS_MAX,
    Autoscale,
    Liveness,
    Readiness,
    Rebuild,
    Route,
    Security,
    SmokeTest,
)
from manifest_engine.domain.manifest.values import (
    ArtifactPath,
    BuildArguments,
    DockerfilePath,
    Label,
    ManifestLabels,
    PackageVersion,
    SecretVariables,
    Sha256,
    StageName,
    UrlPath,
    Version,
    Words,
)

_SOURCE: JsonDict = {"section": "Artifact source"}
_BUILD: JsonDict = {"section": "Image build"}
_RUNTIME: JsonDict = {"section": "Runtime"}
_POD: JsonDict = {"section": "Pod"}
_CHECKS: JsonDict = {"section": "Checks and route"}
_RECORD: JsonDict = {"section": "Owner and notes"}
"""Sections of the form and of the reference page."""
_STARTUP_SECONDS = 60
"""The default of `startupSeconds`."""


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
    dockerfile: DockerfilePath | None = Field(
        None,
        title="Dockerfile",
        description="Path of the Dockerfile in the ZIP, e.g. `docker/Dockerfile.prod`. Default: "
        "`scripts/Dockerfile`, or the standard Dockerfile if the ZIP does not have that file. All "
        "paths in the Dockerfile are relative to the ZIP's root.",
        examples=["docker/Dockerfile"],
        json_schema_extra=_BUILD,
    )
    target: StageName | None = Field(
        None,
        title="Target",
        description="The stage of the Dockerfile to build, as in `FROM … AS name`. Default: the "
        "last stage.",
        examples=["production"],
        json_schema_extra=_BUILD,
    )
    build_args: BuildArguments = Field(
        default_factory=dict,
        title="Build arguments",
        description='Values for `ARG` in the Dockerfile, e.g. `{"EXTRAS": "gpu"}`. Do not use '
        "secrets: everybody who can pull the image can read the values, so names such as "
        "`API_TOKEN` are refused.",
        json_schema_extra=_BUILD,
    )
    platform: Platform | None = Field(
        None,
        title="Platform",
        description="Platform of the image and of the pods' nodes: `linux/amd64` or `linux/arm64`. "
        "A builder must be able to build for this platform. Default: the environment's platform, "
        "else the builder's platform.",
        examples=["linux/arm64"],
        json_schema_extra=_BUILD,
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
    resources: Resources | None = Field(
        None,
        title="Resources",
        description='Requests and limits, e.g. `{"requests": {"cpu": "200m"}}`. What is not given '
        "comes from the environment.",
        json_schema_extra=_RUNTIME,
    )
    autoscale: Autoscale | None = Field(
        None,
        title="Autoscale",
        description='`{"minReplicas": 2, "maxReplicas": 6}`, by CPU use; empty: off.',
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
    command: Words = Field(
        default_factory=list,
        title="Command",
        description='Replaces the image\'s `ENTRYPOINT`, e.g. `["python3", "-m", "worker"]`. '
        "`$(NAME)` is not expanded; empty: the image's.",
        json_schema_extra=_POD,
    )
    args: Words = Field(
        default_factory=list,
        title="Arguments",
        description='Replaces the image\'s `CMD`, e.g. `["--workers", "4"]`; empty: the image\'s.',
        json_schema_extra=_POD,
    )
    files: Files = Field(
        default_factory=dict,
        title="Files",
        description='Path to text, e.g. `{"/etc/quotes/settings.yaml": "level: info\\n"}`: small '
        "configuration files, read-only. A change is rolled out. No secrets: the audit shows them.",
        json_schema_extra=_POD,
    )
    volumes: Volumes = Field(
        default_factory=dict,
        title="Volumes",
        description='Folder to source, e.g. `{"/etc/tls": {"secret": "pricing-quotes-tls", "keys": '
        '["tls.crt", "tls.key"]}, "/tmp/cache": {"emptyDir": {}}}`. For the names of Secrets, '
        "ConfigMaps and SecretProviderClasses the rule of `secretEnv` holds.",
        json_schema_extra=_POD,
    )
    service_account: ObjectName | None = Field(
        None,
        title="Service account",
        description="ServiceAccount of the pods, one of those that the environment allows; with "
        "AKS workload identity, the pods get its identity. Empty: the environment's.",
        examples=["quotes-identity"],
        json_schema_extra=_POD,
    )
    labels: ManifestLabels = Field(
        default_factory=dict,
        title="Labels",
        description='More labels of the objects and pods, e.g. `{"team": "pricing"}`. The '
        "environment lists the allowed keys.",
        json_schema_extra=_POD,
    )
    security: Security = Field(
        default_factory=Security,
        title="Security",
        description="For images that must be process 1, run as root or keep a capability: `pid1`, "
        "`runAsRoot`, `capabilities`.",
        json_schema_extra=_POD,
    )
    health_path: UrlPath = Field(
        "/health",
        title="Health path",
        description="Path that answers 200 when the service is ready; for startup, readiness and, "
        "by default, the smoke test.",
        json_schema_extra=_CHECKS,
    )
    startup_seconds: int | None = Field(
        None,
        ge=1,
        le=3600,
        title="Startup time",
        description="Seconds from the start of a container until it must be ready, e.g. `180` to "
        "load a model. Wrong answers are waited for. Waiting for a node and for the image does not "
        "count. Empty: 60, or `smokeTest.timeoutSeconds` if that is more.",
        json_schema_extra=_CHECKS,
    )
    readiness: Readiness = Field(
        default_factory=Readiness,
        title="Readiness",
        description="The check that decides whether a pod gets requests: `kind` (`http`, `tcp`, "
        "`grpc`, `exec`), `port`, `periodSeconds`, `timeoutSeconds`, `failureThreshold`.",
        json_schema_extra=_CHECKS,
    )
    liveness: Liveness = Field(
        default_factory=Liveness,
        title="Liveness",
        description="The check that decides whether a container is restarted: `kind` (`tcp`, "
        "`http`, `grpc`, `exec`, `none`), `path`, and as in `readiness`. It does not follow "
        "`healthPath`.",
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
    internal: bool = Field(
        False,
        title="Internal",
        description="No public route: only pods in the cluster reach the service, at "
        "`http://{component}-{serviceName}.{namespace}.svc`. The last check of a deployment is "
        "then a request to a new pod.",
        json_schema_extra=_CHECKS,
    )
    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Show the changes without building or applying anything.",
        json_schema_extra=_CHECKS,
    )
    restart: bool = Field(
        False,
        title="Restart",
        description="Start new pods even if nothing has changed. Not recorded: it holds for one "
        "run. A changed Secret or ConfigMap restarts the pods of a redeploy without it.",
        json_schema_extra=_CHECKS,
    )
    take_over: bool = Field(
        False,
        title="Take over",
        description="Overwrite the changes by hand that this run finds, for example of `kubectl "
        "scale` or `kubectl set env`. For this run alone; not recorded.",
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

    nightly_rebuilds: bool = Field(
        True,
        title="Nightly rebuilds",
        description="Whether `rebuild_services` may rebuild the service when a base image has "
        "changed. A run by hand that names the service and sets `force` rebuilds it anyway.",
        json_schema_extra=_RECORD,
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
        if problem := overlap(self.files, self.volumes):
            raise ValueError(problem)
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

    @model_validator(mode="after")
    def _smoke_test_fits(self) -> Manifest:
        expected = self.smoke_test
        asks_health = self.readiness.kind == "http" and self.smoke_path == self.health_path
        if asks_health and not 200 <= (expected.expect_status or 200) <= 399:
            raise ValueError(
                f"smokeTest.expectStatus {expected.expect_status} at the health path "
                f"{self.health_path}: Kubernetes takes a pod for ready only if this path answers "
                "200 to 399, and a probe cannot log in; let healthPath answer without a login, or "
                "set smokeTest.path to another path"
            )
        if self.smoke_path is None and (expected.expect_status or expected.expect_body):
            raise ValueError(
                "smokeTest.expectStatus and smokeTest.expectBody need smokeTest.path, because "
                f"readiness (kind {self.readiness.kind}) asks for no path on port {self.port}"
            )
        return self

    @property
    def smoke_path(self) -> str | None:
        """The path that the smoke test and the check of the public URL request on ``port``.

        None if only the readiness check is known, which uses no HTTP or another port.
        """
        readiness = self.readiness
        health = readiness.kind == "http" and readiness.port in (None, self.port)
        return self.smoke_test.path or (self.health_path if health else None)

    @property
    def startup(self) -> int:
        """Seconds from the start of a container until it must be ready."""
        # Before `startupSeconds` existed, `smokeTest.timeoutSeconds` was the startup time.
        return self.startup_seconds or max(_STARTUP_SECONDS, self.smoke_test.timeout_seconds)


def parse(conf: Mapping[str, Any], *, max_bytes: int = run_conf.MAX_BYTES) -> Manifest:
    """Read the run conf of a deployment; errors as :func:`run_conf.parse`."""
    return run_conf.parse(Manifest, conf, "manifest", max_bytes=max_bytes)
