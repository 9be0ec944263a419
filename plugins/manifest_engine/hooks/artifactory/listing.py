"""Lists the files below a folder of Artifactory."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests

from manifest_engine.domain.artifact.versions import Listed
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.hooks.artifactory.errors import ArtifactMissing
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
from manifest_engine.hooks.core import http_answers

_TEXT_MAX = 500


def files_below(hook: ArtifactoryHook, path: str) -> list[Listed]:
    """The files below ``repo/folder``; empty if the folder does not exist.

    Uses the File List API, which needs Artifactory Pro and a login. Sources:
    https://jfrog.com/help/r/jfrog-rest-apis/file-list (read 2026-11), and for ``sha2`` and the type
    of the size jfrog-client-go (``artifactory/services/utils/storageutils.go``).

    :raises ArtifactError: when Artifactory refuses, or lists more than 8 MiB.
    """
    base = hook.client.errors.base
    url = f"{base}/api/storage/{quote(path)}?list&deep=1&listFolders=0"
    try:
        with hook.client.get(url) as response:
            http_answers.read(response)
            found: Any = response.json()
            return [_listed(item) for item in found["files"]]
    except ArtifactMissing:
        return []
    except http_answers.TooLarge as error:
        raise ArtifactError(f"{error}: {base}/{path} has too many files to list.") from None
    except (requests.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(
            f"Artifactory's list of {base}/{path} is not as documented ({type(error).__name__}); "
            f"look at {url}."
        ) from None
    except requests.RequestException as error:
        raise hook.client.errors.unreachable(error) from None


def _listed(item: dict[str, Any]) -> Listed:
    return Listed(
        printable.excerpt(str(item["uri"]).lstrip("/"), _TEXT_MAX),
        int(item.get("size") or 0),
        printable.excerpt(str(item["lastModified"]), _TEXT_MAX) if "lastModified" in item else None,
        str(item["sha2"]) if item.get("sha2") else None,
    )
