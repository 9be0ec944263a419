"""``oras`` and ``crane`` against the registry, also with artifacts that our hook attaches."""

from __future__ import annotations

import json

import pytest
from manifest_engine.hooks.registry.acr import AcrHook

from sandbox.core.settings import SETTINGS
from tests.clients.conftest import REPOSITORY


@pytest.fixture
def hook(monkeypatch, front, refresh_token):
    """Makes our hook for a login server, with the same token."""

    def make(server: str) -> AcrHook:
        given = {
            "conn_type": "acr",
            "host": f"https://{server}",
            "login": "00000000-0000-0000-0000-000000000000",
            "password": refresh_token,
            "extra": {"verify": str(SETTINGS.ca)},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ACR_CLIENTS", json.dumps(given))
        return AcrHook("acr_clients", deadline_seconds=20)

    return make


def test_crane_pushes_lists_and_copies(crane, digest, front):
    repository = f"{front}/{REPOSITORY}"
    assert crane("ls", repository).split() == ["1"]
    copy = f"{repository}-copy:1"
    crane("copy", f"{repository}@{digest}", copy)
    assert crane("digest", copy).strip() == digest
    assert json.loads(crane("manifest", copy))["layers"]


def test_our_hook_reads_what_crane_pushed(hook, digest, front):
    for server in (SETTINGS.registry, front):
        found = hook(server).api.find(REPOSITORY, "1")
        assert found is not None
        assert found.digest == digest


@pytest.mark.parametrize("with_api", [True, False])
def test_our_hook_and_oras_see_what_the_other_attached(
    *, hook, oras, digest, front, tmp_path, with_api
):
    server = front if with_api else SETTINGS.registry
    image = f"{server}/{REPOSITORY}@{digest}"
    (tmp_path / "note.json").write_text("{}")
    theirs, ours = f"application/vnd.oras-{with_api}+json", f"application/vnd.ours-{with_api}+json"
    words = ("attach", "--disable-path-validation", "--artifact-type", theirs)
    oras(*words, image, tmp_path / "note.json")
    attached = hook(server).api.referrers(REPOSITORY, digest)
    assert attached.has(theirs)
    attached.attach(ours, b"{}")
    listed = json.loads(oras("discover", "--format", "json", image))
    kinds = {item["artifactType"] for item in listed.get("referrers") or listed["manifests"]}
    assert {theirs, ours} <= kinds


def test_oras_asks_the_referrers_api_for_one_type(hook, oras, digest, front):
    hook(front).api.referrers(REPOSITORY, digest).attach("application/vnd.one+json", b"{}")
    words = ("discover", "--format", "json", "--artifact-type", "application/vnd.one+json")
    listed = json.loads(oras(*words, f"{front}/{REPOSITORY}@{digest}"))
    found = listed.get("referrers") or listed["manifests"]
    assert [item["artifactType"] for item in found] == ["application/vnd.one+json"]
