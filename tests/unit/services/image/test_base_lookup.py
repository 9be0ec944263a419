"""The look-up of a base image reports a problem when the registry does not answer."""

from __future__ import annotations

import json

import pytest
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.image import base_lookup
from manifest_engine.services.image.base_lookup import BaseLookup

from tests.unit.hooks.engine.engine_double import DOWN

BASE = "docker.io/library/python:3.11"
ID, DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SILENT = "#!/bin/sh\necho 'ERROR: no route to host' >&2\nexit 1\n"


@pytest.fixture
def lookup(engine, tmp_path, monkeypatch):
    """Looks up with a fake buildx."""
    plugin = tmp_path / "cli-plugins/docker-buildx"
    plugin.parent.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    fields = {"conn_type": "acr", "host": "team.azurecr.io"}
    monkeypatch.setenv("AIRFLOW_CONN_ACR_DEFAULT", json.dumps(fields))
    monkeypatch.setattr(base_lookup, "_PAUSE_SECONDS", 0.0)

    def current(script, acr="acr_default"):
        plugin.write_text(script)
        plugin.chmod(0o755)
        return BaseLookup(AcrHook(acr), ["docker_default"]).current(BASE)

    return current


def test_an_old_copy_on_a_builder_does_not_replace_a_silent_registry(engine, lookup):
    engine.image = (200, {"Id": ID, "RepoDigests": [f"python@{DIGEST}"]})
    found = lookup(SILENT)
    assert (found.digests, found.pin) == (frozenset(), None)
    assert "no route to host" in found.problem


def test_an_image_that_only_builders_have_is_identified_by_its_id(engine, lookup):
    engine.image = (200, {"Id": ID, "RepoDigests": [f"team.azurecr.io/copy@{DIGEST}"]})
    found = lookup(SILENT)
    assert (found.digests, found.pin, found.problem) == ({ID}, None, "")


def test_the_registry_takes_precedence_over_a_copy_on_a_builder(engine, lookup):
    engine.image = (200, {"Id": ID, "RepoDigests": [f"python@{ID}"]})
    found = lookup(f"#!/bin/sh\necho '{json.dumps({'digest': DIGEST})}'\n")
    assert (found.digests, found.pin) == ({DIGEST}, DIGEST)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/no/such/shell\n", "FileNotFoundError"),
        ("#!/bin/sh\necho '{}'\n", "KeyError: 'digest'"),
        ("#!/bin/sh\necho nonsense\n", "JSONDecodeError"),
        (SILENT, "the store is locked"),
    ],
)
def test_an_error_is_recorded_for_one_image_only(engine, lookup, script, why):
    engine.image = DOWN
    found = lookup(script)
    assert f"base image {BASE} could not be looked up" in found.problem
    assert why in found.problem


def test_a_missing_connection_is_recorded_for_one_image_only(lookup):
    assert "'acr_missing', which does not exist" in lookup(SILENT, acr="acr_missing").problem


BUSY = """#!/bin/sh
echo x >> {log}
[ "$(wc -l < {log})" -gt 2 ] && echo '{{"digest": "{digest}"}}' && exit 0
echo 'ERROR: {said}' >&2
exit 1
"""


@pytest.mark.parametrize(
    ("said", "asked"), [("429 Too Many Requests", 3), ("python:3.11: not found", 1)]
)
def test_a_busy_registry_is_asked_again_and_a_refusal_is_final(
    engine, lookup, tmp_path, said, asked
):
    engine.image = (404, {"message": "No such image"})
    log = tmp_path / "asked"
    found = lookup(BUSY.format(log=log, digest=DIGEST, said=said))
    assert len(log.read_text().split()) == asked
    assert found.pin == (DIGEST if asked == 3 else None)
    assert (said in found.problem) is (asked == 1)
