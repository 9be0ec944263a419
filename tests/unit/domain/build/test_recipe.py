"""Build arguments and labels depend on the whole input and on nothing else."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from manifest_engine.domain.build import recipe
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release

SHA = "ab" * 32
DOCKERFILE = b"FROM python:3.11\n"
DEV = environments.load(environments.INCLUDE / "environments.yaml")["dev"]


def made(
    sha: str = SHA, content: bytes = DOCKERFILE, run: str = "run-1", **fields: Any
) -> recipe.Recipe:
    asked = {
        "component": "pricing",
        "serviceName": "quote-service",
        "version": "1.4.0",
        "environment": "dev",
        **fields,
    }
    planned = release.plan(
        manifest.parse(asked),
        DEV,
        login_server="registry.example.com",
        run_id=run,
        requested_at=datetime.now(UTC),
        requested_by=run,
    )
    return recipe.recipe(planned, sha, content)


def test_labels_name_the_artifact_and_the_base_image() -> None:
    labels = made().labels
    artifact = "datafactory/pricing/quote-service/1.4.0/quote-service-1.4.0.zip"
    assert labels == {
        "org.opencontainers.image.title": "pricing-quote-service",
        "org.opencontainers.image.version": "1.4.0",
        "org.opencontainers.image.source": artifact,
        "org.opencontainers.image.base.name": "python:3.11",
        "io.manifest-engine.artifact": artifact,
        "io.manifest-engine.artifact.sha256": SHA,
        "io.manifest-engine.input": made().key,
        "io.manifest-engine.dockerfile.sha256": hashlib.sha256(DOCKERFILE).hexdigest(),
    }


def test_another_run_of_the_same_input_gives_the_same_recipe() -> None:
    assert made(run="run-2") == made()


@pytest.mark.parametrize(
    "change",
    [
        {"sha": "cd" * 32},
        {"utilsVersion": "1.4.2"},
        {"version": "1.4.1"},
        {"dockerfile": "docker/Dockerfile"},
        {"target": "production"},
        {"buildArgs": {"EXTRAS": "gpu"}},
        {"platform": "linux/arm64"},
    ],
)
def test_every_part_of_the_input_changes_the_key(change: dict[str, Any]) -> None:
    assert made(**change).key != made().key


def test_a_manifest_without_build_keys_keeps_the_key_of_former_releases() -> None:
    """An image in a registry is found by this key after an update of this package."""
    assert made().key == ("d8b75ab001896dd8d0bfdf5b759a7e872a6e80488dc6f3d65267654a231fd487")
    assert made(dockerfile="./scripts/Dockerfile").key == made().key


def test_another_dockerfile_keeps_the_key_but_is_detected() -> None:
    other = made(content=b"FROM python:3.12\n")
    assert other.key == made().key
    assert not other.has_same_dockerfile(made().labels)
    assert made(run="run-2").has_same_dockerfile(made().labels)


def test_fields_for_the_cluster_do_not_change_the_recipe() -> None:
    assert made(replicas=5, env={"ENVIRONMENT": "Development"}, notes="n") == made()


def test_build_args_are_versions_and_the_time() -> None:
    assert made(utilsVersion="1.4.2").build_args == {
        "SOURCE_DATE_EPOCH": "315532800",
        "SERVICE_VERSION": "1.4.0",
        "UTILS_VERSION": "1.4.2",
    }
    assert "UTILS_VERSION" not in made().build_args
    assert made(buildArgs={"EXTRAS": "gpu"}).build_args["EXTRAS"] == "gpu"


def test_the_base_image_is_that_of_the_target() -> None:
    content = b"FROM python:3.11 AS run\nFROM debian:12\n"
    labels = made(content=content, target="run").labels
    assert labels["org.opencontainers.image.base.name"] == "python:3.11"


def test_a_pinned_base_image_has_its_digest_in_a_label() -> None:
    labels = made(content=f"FROM python:3.11@sha256:{SHA}".encode()).labels
    assert labels["org.opencontainers.image.base.name"] == "python:3.11"
    assert labels["org.opencontainers.image.base.digest"] == f"sha256:{SHA}"
