"""A ZIP that Artifactory announces by its webhook, and the manifest of its deployment.

Source: JFrog, "Event Types", domain artifact, event deployed
(https://docs.jfrog.com/administration/docs/event-types). With "use secret for payload signing",
``X-JFrog-Event-Auth`` is the HMAC-SHA256 of the body in hexadecimal digits.
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
"""The member of the ZIP with the manifest."""
MANIFEST_MAX = 64 * 1024
"""Bytes, as of a run's conf."""
USER = "webhook:artifactory"
"""The user of the runs, for ``access`` and the audit."""
_OURS = ("rebuild", "takeOver", "dryRun", "restart", "artifact", "artifactSha256")
"""Fields that a ZIP must not set for its own deployment."""
_DIGITS = re.compile("[0-9a-fA-F]{64}")


class Announcement(Model):
    """A ZIP for one environment: the conf of ``deploy_announced``."""

    environment: str
    artifact: ArtifactPath
    artifact_sha256: Sha256

    @property
    def run_id(self) -> str:
        """The same for the same ZIP, so that a repeated announcement starts nothing."""
        of_all = json.dumps([self.environment, self.artifact, self.artifact_sha256])
        return f"announced__{hashlib.sha256(of_all.encode()).hexdigest()[:32]}"

    def dump(self) -> dict[str, str]:
        """As JSON-compatible data."""
        return self.model_dump(by_alias=True)


def is_signed(body: bytes, secret: str, given: str) -> bool:
    """Whether a request comes from the Artifactory that knows the secret."""
    expected = hmac.digest(secret.encode(), body, "sha256").hex()
    return bool(secret) and hmac.compare_digest(expected.encode(), given.lower().encode())


def read(body: bytes, environment: str) -> Announcement | None:
    """The announced ZIP; None for another event of Artifactory.

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
        return None  # a path that no manifest could name
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError("The body is not an event of Artifactory's webhook.") from error


def manifest(
    found: Announcement, in_zip: bytes | None, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The conf of the deployment.

    :param in_zip: the ZIP's ``manifest.json``.
    :param defaults: ``webhook.manifest`` of the environment.
    :raises ArtifactError: when there is no manifest, or it is not a JSON object, or sets what it
        must not set.
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
                f"{MANIFEST} in {found.artifact} sets {', '.join(refused)}, which the ZIP of a "
                "deployment cannot set; leave it out."
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
    """Why a version is not deployed; empty if it is. Only versions of PEP 440 are compared."""
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
    """Component, name and version, if the path follows the convention."""
    parts = artifact.split("/")
    if len(parts) != 5 or parts[4] != f"{parts[2]}-{parts[3]}.zip":
        return {}
    return {"component": parts[1], "serviceName": parts[2], "version": parts[3]}
