"""An artifact's path cannot leave the repository that it names, also not in the HTTP request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from manifest_engine.domain.core.errors import ArtifactError, ManifestError
from manifest_engine.domain.manifest import manifest
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook

ASKED = {"component": "a", "serviceName": "b", "version": "1", "environment": "dev"}
TRICKS = [
    "datafactory/../restricted/secret.zip",
    "datafactory/%2e%2e/restricted/secret.zip",
    "datafactory/%2E%2E%2Frestricted%2Fsecret.zip",
    "datafactory/%252e%252e/restricted/secret.zip",
    "datafactory/..;a=b/restricted/secret.zip",
    "datafactory;a=b/../restricted/secret.zip",
    "datafactory/x/../../restricted/secret.zip",
    "datafactory/..\\restricted\\secret.zip",
    "datafactory:restricted/secret.zip",
    "datafactory/./../restricted/secret.zip",
    "datafactory/.. /restricted/secret.zip",
    "datafactory/?/../../restricted/secret.zip",
    "datafactory/#/../../restricted/secret.zip",
    "//restricted/secret.zip",
]


@pytest.fixture(scope="module")
def hook(artifactory_server: tuple[str, str]) -> Iterator[Any]:
    """A hook whose user may read both repositories, of which one has the file."""
    url, token = artifactory_server
    with pytest.MonkeyPatch.context() as patch:
        text = json.dumps({"conn_type": "artifactory", "host": url, "password": token})
        patch.setenv("AIRFLOW_CONN_ARTIFACTORY_DEFAULT", text)
        answer = requests.put(
            f"{url}/restricted/secret.zip",
            data=b"PK",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == 201, answer.text
        made = ArtifactoryHook()
        assert made.file_info("restricted/secret.zip").size == 2
        yield made


@pytest.mark.parametrize("path", TRICKS)
def test_a_manifest_with_such_a_path_is_refused(path: str) -> None:
    with pytest.raises(ManifestError, match="artifact"):
        manifest.parse(ASKED | {"artifact": path})


@pytest.mark.parametrize("path", [path for path in TRICKS if "/../" not in path])
def test_the_request_stays_in_the_repository(hook: Any, path: str) -> None:
    with pytest.raises(ArtifactError):
        hook.file_info(path)
