"""All problems of a manifest are listed, each with its place."""

from __future__ import annotations

from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import validation

ASKED = {"component": "pricing", "serviceName": "quotes", "version": "1.0", "environment": "dev"}
CONFIGURED = environments.load()


def problems(**changes: object) -> dict[str, str]:
    _, found = validation.check(ASKED | changes, CONFIGURED)
    return {item.pointer: item.detail for item in found}


def test_a_good_manifest_has_no_problem() -> None:
    manifest, found = validation.check(ASKED, CONFIGURED)
    assert manifest is not None
    assert manifest.port == 8002
    assert not found


def test_every_problem_has_its_pointer() -> None:
    found = problems(serviceName="quoteService", prot=80, smokeTest={"expectStatus": "200"})
    assert set(found) == {"/serviceName", "/prot", "/smokeTest/expectStatus"}
    assert "did you mean 'port'?" in found["/prot"]
    assert "quote-service" in found["/serviceName"]


def test_a_pointer_is_escaped_and_bounded() -> None:
    assert validation.pointer(("env", "a/b~c")) == "/env/a~1b~0c"
    assert len(validation.pointer(("x" * 1000,))) <= 300


def test_an_unknown_environment_and_its_rules_are_problems() -> None:
    assert "configured:" in problems(environment="devv")["/environment"]
    assert "names the Secret 'root'" in problems(secretEnv={"PW": "root/key"})[""]
    assert "rebuild_services" in problems(rebuild={"of": "x"}).get("/rebuild", "rebuild_services")


def test_a_large_or_unprintable_manifest_is_one_problem() -> None:
    assert "at most 65536 are allowed" in problems(notes="x" * 70_000)[""]
    assert "U+0000" in problems(notes="\0")[""]
    assert len(validation.check({f"k{at}": 1 for at in range(900)}, CONFIGURED)[1]) == 50
