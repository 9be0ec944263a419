"""An engine without a cache, and an engine with containerd's image store.

No other file uses these engines, because files run in parallel and each engine exists once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import certifi
from manifest_engine.domain.environment.environment import Build
from manifest_engine.hooks.builder.hook import BuilderHook

if TYPE_CHECKING:
    import pytest

    from tests.integration.image.conftest import Service


def test_an_empty_engine_does_not_run_pip_again(service: Service, empty_engine: str) -> None:
    service.ship(service.zip())
    code = service.zip(**{"src/extra.py": "x = 1\n"})
    built, pushed = service.ship(code, version="1.0.1", builder=empty_engine)
    assert built["builder"] == "second"
    assert not service.ran_pip
    assert pushed["pushed"]


def test_the_build_cache_is_used_with_allowed_bases(service: Service, empty_engine: str) -> None:
    service.own_packages = True
    build = Build.model_validate({"allowedBases": ("docker.io/library/python:3.11",)})
    service.environment = service.environment.model_copy(update={"build": build})
    service.ship(service.zip())
    code = service.zip(**{"src/extra.py": "x = 1\n"})
    service.build(code, version="1.0.1", builder=empty_engine)
    assert not service.ran_pip


def test_the_same_input_gives_the_same_digest_on_another_engine(
    service: Service, empty_engine: str
) -> None:
    artifact = service.zip()
    built, pushed = service.ship(artifact)
    service.forget("1.0.0")
    again, pushed_again = service.ship(artifact, builder=empty_engine)
    assert not again["reused"]
    assert again["image_id"] == built["image_id"]
    assert pushed_again["digest"] == pushed["digest"]


def test_an_engine_with_containerds_image_store_works_over_tls(
    service: Service, modern_engine: str
) -> None:
    service.ship(service.zip())
    code = service.zip(**{"src/extra.py": "x = 1\n"})
    built, pushed = service.ship(code, version="1.0.1", builder=modern_engine)
    assert not service.ran_pip
    assert built["image_id"] == pushed["digest"]
    third = service.zip(**{"src/extra.py": "x = 2\n"})
    service.ship(third, version="1.0.2")
    assert not service.ran_pip, "the other engine uses the cache that the modern engine pushed"


def test_the_engines_own_authority_is_used_despite_requests_ca_bundle(
    modern_engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with BuilderHook(modern_engine) as builder:
        builder.ping()
