"""Other engines than the warm one: an empty one, and one with containerd's image store.

This file alone uses them: tests run side by side by file, and there is one of each.
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


def test_the_build_cache_is_used_also_where_the_environment_names_the_bases(
    service: Service, empty_engine: str
) -> None:
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


def test_an_engine_with_containerd_s_image_store_works_over_tls(
    service: Service, modern_engine: str
) -> None:
    service.ship(service.zip())
    code = service.zip(**{"src/extra.py": "x = 1\n"})
    built, pushed = service.ship(code, version="1.0.1", builder=modern_engine)
    assert not service.ran_pip
    assert built["image_id"] == pushed["digest"]
    third = service.zip(**{"src/extra.py": "x = 2\n"})
    service.ship(third, version="1.0.2")
    assert not service.ran_pip, "what the modern engine pushed as cache serves the other one"


def test_an_engine_is_known_by_its_own_authority_whatever_requests_trusts(
    modern_engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with BuilderHook(modern_engine) as builder:
        builder.ping()
