"""An engine that answers the ping and then nothing of use: one kind of error, worth a retry."""

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build
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
def test_what_an_engine_fails_with_is_told_with_its_name_and_may_be_retried(engine, ask):
    engine.image = DOWN
    with BuilderHook() as builder:
        builder.ping()
        with pytest.raises(BuildError) as raised:
            ask(builder)
    assert "builder 'docker_default'" in str(raised.value)
    assert "does not answer as it should (the store is locked)" in str(raised.value)
    assert raised.value.retryable


def test_an_image_that_is_not_there_is_none(engine):
    engine.image = ABSENT
    with BuilderHook() as builder:
        assert builder.image_id("a:1") is None
        assert builder.local_base("a:1") is None


def test_a_base_whose_digest_neither_build_nor_engine_tells_is_like_no_other(engine):
    engine.image = ABSENT
    output = BuildOutput()
    output.read_line("#2 [internal] load metadata for docker.io/library/python:3.11")
    with BuilderHook() as builder:
        assert builder._bases(output) == {"docker.io/library/python:3.11": "unknown"}


def build(**fields):
    return Build.model_validate(fields, strict=False)


@pytest.mark.parametrize("wanted", [build(allowedBases=[]), build(network="restricted")])
def test_an_engine_that_ignores_a_source_policy_is_refused(engine, wanted):
    engine.api, engine.labels = "1.43", ["com.manifest-engine.network=restricted"]
    with BuilderHook() as builder:
        builder.require(build())
        with pytest.raises(BuildError, match=r"needs 1\.44; install Docker Engine 25 or newer"):
            builder.require(wanted)


def test_an_engine_whose_network_is_open_is_refused_where_it_must_be_restricted(engine):
    engine.labels = ["com.manifest-engine.network=open"]
    with BuilderHook() as builder:
        with pytest.raises(BuildError, match="does not restrict the network of builds") as raised:
            builder.require(build(network="restricted"))
        assert not raised.value.retryable
        builder.require(build(allowedBases=[]))
        engine.labels = ["com.manifest-engine.network=restricted"]
        builder.require(build(network="restricted"))
