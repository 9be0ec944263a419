"""Reads Artifactory's webhook, and makes the manifest that deploys the announced ZIP.

Source: JFrog, "Event Types", domain artifact, event deployed
(https://docs.jfrog.com/administration/docs/event-types). With "use secret for payload signing",
``X-JFrog-Event-Auth`` is the HMAC-SHA256 of the body in hexadecimal.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from packaging.version import InvalidVersion, parse
from pydantic import ValidationError

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ArtifactError, ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest.values import ArtifactPath, Sha256

MANIFEST = "manifest.json"
"""Path of the manifest in the ZIP."""
MANIFEST_MAX = 64 * 1024
"""Limit in bytes, the same as for a run's conf."""
USER = "webhook:artifactory"
"""Name of the user who starts the runs. ``access`` rules and the audit use this name."""
_OURS = ("rebuild", "takeOver", "dryRun", "restart", "artifact", "artifactSha256")
"""Fields that the manifest in a ZIP must not set."""
_DIGITS = re.compile("[0-9a-fA-F]{64}")


class Announcement(Model):
    """An announced ZIP and its environment: the conf of ``deploy_announced``."""

    environment: str
    artifact: ArtifactPath
    artifact_sha256: Sha256

    @property
    def run_id(self) -> str:
        """Id of the run. Equal announcements have equal ids, so a repeated one starts nothing."""
        of_all = json.dumps([self.environment, self.artifact, self.artifact_sha256])
        return f"announced__{hashlib.sha256(of_all.encode()).hexdigest()[:32]}"

    def dump(self) -> dict[str, str]:
        """As JSON-compatible data."""
        return self.model_dump(by_alias=True)


def is_signed(body: bytes, secret: str, given: str) -> bool:
    """Whether the signature of a request is made with the secret."""
    expected = hmac.digest(secret.encode(), body, "sha256").hex()
    return bool(secret) and hmac.compare_digest(expected.encode(), given.lower().encode())


def read(body: bytes, environment: str) -> Announcement | None:
    """The announced ZIP; None for other events and other files.

    :raises ManifestError: when the body is not an event of Artifactory.
    """
    try:
        event = json.loads(body)
        if (event["domain"], event["event_type"]) != ("artifact", "deployed"):
            return None
        data = event["data"]
        path, checksum = str(data["path"]).strip("/"), str(data["sha256"])
        if not path.lower().endswith(".zip") or not _DIGITS.fullmatch(checksum):
            return None
        artifact = f"{data['repo_key']}/{path}"
        return Announcement(
            environment=environment, artifact=artifact, artifactSha256=checksum.lower()
        )
    except ValidationError:
        return None  # a manifest cannot have this path
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError("The body is not an event of Artifactory's webhook.") from error


def manifest(
    found: Announcement, in_zip: bytes | None, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The conf of the deployment.

    :param in_zip: the ZIP's ``manifest.json``.
    :param defaults: ``webhook.manifest`` of the environment.
    :raises ArtifactError: when the manifest is missing, is not a JSON object or sets a field of
        ``_OURS``.
    """
    own: Any = {}
    if in_zip is not None:
        try:
            own = json.loads(in_zip)
        except (ValueError, RecursionError):
            own = None
        if not isinstance(own, dict):
            raise ArtifactError(f"{MANIFEST} in {found.artifact} is not a JSON object; correct it.")
        if refused := sorted(own.keys() & set(_OURS)):
            raise ArtifactError(
                f"{MANIFEST} in {found.artifact} sets {', '.join(refused)}, which a manifest in a "
                "ZIP must not set; leave it out."
            )
    elif not defaults:
        raise ArtifactError(
            f"{found.artifact} has no {MANIFEST}, and webhook.manifest in environments.yaml is "
            f"empty; add {MANIFEST} to the root of the ZIP."
        )
    return {
        **_from_path(found.artifact),
        **defaults,
        **own,
        "environment": found.environment,
        "artifact": found.artifact,
        "artifactSha256": found.artifact_sha256,
    }


def older(version: Any, live: str | None) -> str:
    """Why a version is too old to deploy; else empty. Only versions of PEP 440 are compared."""
    if live is None:
        return ""
    try:
        if parse(str(version)) >= parse(live):
            return ""
    except InvalidVersion:
        return ""
    shown = printable.excerpt(str(version), 100)
    return f"{live} is live, and {shown} is older, so nothing is deployed."


def _from_path(artifact: str) -> dict[str, str]:
    """Component, name and version, if the path follows the naming convention."""
    parts = artifact.split("/")
    if len(parts) != 5 or parts[4] != f"{parts[2]}-{parts[3]}.zip":
        return {}
    return {"component": parts[1], "serviceName": parts[2], "version": parts[3]}
