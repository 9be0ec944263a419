"""Errors of an engine that answers the ping and then fails are retryable."""

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build
from manifest_engine.hooks.builder import buildx
from manifest_engine.hooks.builder.build_output import BuildOutput
from manifest_engine.hooks.builder.hook import BuilderHook

from tests.unit.hooks.engine.engine_double import ABSENT, DOWN


@pytest.mark.parametrize(
    "ask",
    [
        lambda builder: builder.image_id("a:1"),
        lambda builder: builder.local_base("a:1"),
        lambda builder: builder.layers("sha256:a"),
        lambda builder: builder.tag("sha256:a", "a:1"),
    ],
)
def test_an_error_of_an_engine_names_the_builder_and_is_retryable(engine, ask):
    engine.image = DOWN
    with BuilderHook() as builder:
        builder.ping()
        with pytest.raises(BuildError) as raised:
            ask(builder)
    assert "builder 'docker_default'" in str(raised.value)
    assert "does not answer as it should (the store is locked)" in str(raised.value)
    assert raised.value.retryable


def test_a_missing_image_is_none(engine):
    engine.image = ABSENT
    with BuilderHook() as builder:
        assert builder.image_id("a:1") is None
        assert builder.local_base("a:1") is None


def test_a_base_without_a_known_digest_has_a_digest_that_never_matches(engine):
    engine.image = ABSENT
    output = BuildOutput()
    output.read_line("#2 [internal] load metadata for docker.io/library/python:3.11")
    with BuilderHook() as builder:
        assert builder._bases(output) == {"docker.io/library/python:3.11": "unknown"}


def build(**fields):
    return Build.model_validate(fields, strict=False)


@pytest.mark.parametrize("rules", [build(allowedBases=[]), build(network="restricted")])
def test_an_engine_too_old_for_a_source_policy_is_refused(engine, rules):
    engine.api, engine.labels = "1.43", ["com.manifest-engine.network=restricted"]
    with BuilderHook() as builder:
        builder.require(build())
        with pytest.raises(BuildError, match=r"needs 1\.44; install Docker Engine 25 or newer"):
            builder.require(rules)


def test_an_engine_with_an_open_network_is_refused_for_restricted_builds(engine):
    engine.labels = ["com.manifest-engine.network=open"]
    with BuilderHook() as builder:
        with pytest.raises(BuildError, match="does not restrict the network of builds") as raised:
            builder.require(build(network="restricted"))
        assert not raised.value.retryable
        builder.require(build(allowedBases=[]))
        engine.labels = ["com.manifest-engine.network=restricted"]
        builder.require(build(network="restricted"))


def test_a_builder_without_the_platform_is_refused_before_the_build(engine, monkeypatch):
    monkeypatch.setattr(buildx, "platforms", lambda *_: ("linux/amd64", "linux/386"))
    with BuilderHook() as builder:
        builder.require_platform("linux/amd64")
        with pytest.raises(BuildError) as raised:
            builder.require_platform("linux/arm64")
        said = (
            "cannot build for linux/arm64, because it only runs programs of linux/amd64, linux/386:"
        )
        assert said in str(raised.value)
        assert not raised.value.retryable
        monkeypatch.setattr(buildx, "platforms", lambda *_: ())
        builder.require_platform("linux/arm64")
