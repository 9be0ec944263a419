"""The versions of a service are listed by Artifactory's File List API."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import requests
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
from manifest_engine.hooks.artifactory.listing import files_below
from manifest_engine.services.artifact import published

FILES = ("1.9.0/quotes-1.9.0.zip", "1.10.0/quotes-1.10.0.zip", "1.10.0/notes.txt", "old.zip")


@pytest.fixture(scope="module")
def server(artifactory_server: tuple[str, str]) -> tuple[str, str]:
    """URL and token of an Artifactory with two versions of a service."""
    url, token = artifactory_server
    for name in FILES:
        place = f"{url}/datafactory/pricing/quotes/{name}"
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.put(place, data=b"PK", headers=headers, timeout=10).status_code == 201
    return url, token


@pytest.fixture
def connect(server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(token: str = server[1]) -> ArtifactoryHook:
        value = {"conn_type": "artifactory", "host": server[0], "password": token}
        monkeypatch.setenv("AIRFLOW_CONN_ARTIFACTORY_DEFAULT", json.dumps(value))
        return ArtifactoryHook(attempts=1)

    return make


def test_the_versions_are_listed_newest_first_with_size_and_sha256(connect: Any) -> None:
    connect()
    found = published.list_versions("artifactory_default", "datafactory", "pricing", "quotes")
    assert [item["version"] for item in found["items"]] == ["1.10.0", "1.9.0"]
    first = found["items"][0]
    assert first["path"] == "datafactory/pricing/quotes/1.10.0/quotes-1.10.0.zip"
    assert (first["size"], first["sha256"]) == (2, hashlib.sha256(b"PK").hexdigest())
    assert first["publishedAt"].startswith("20")
    assert found["complete"]


def test_a_service_without_a_folder_has_no_versions(connect: Any) -> None:
    assert files_below(connect(), "datafactory/pricing/nothing") == []


def test_a_refusal_names_the_cause(connect: Any) -> None:
    with pytest.raises(ArtifactError, match="does not accept the credentials"):
        files_below(connect("wrong"), "datafactory/pricing/quotes")
