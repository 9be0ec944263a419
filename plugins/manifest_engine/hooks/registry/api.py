"""The parts of a registry's HTTP API (OCI distribution specification 1.1) that we need."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from urllib.parse import urljoin, urlsplit

from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.auth import Identity, jwt_claims
from manifest_engine.hooks.registry.http import RegistryHttp
from manifest_engine.hooks.registry.referrers import Referrers
from manifest_engine.hooks.registry.remote_image import (
    INDEXES,
    MANIFESTS,
    RemoteImage,
    RemoteManifest,
    platform_manifest,
    remote_image,
    remote_manifest,
)


class RegistryApi:
    """One registry, used as one identity.

    :param url: ``https://host[:port]``.
    :param verify: True, or the path of a file with certificate authorities.
    :param deadline_seconds: limit for one request with all its retries.
    """

    def __init__(
        self, url: str, identity: Identity, *, verify: bool | str, deadline_seconds: float = 60
    ) -> None:
        self._http = RegistryHttp(url, identity, verify=verify, deadline_seconds=deadline_seconds)

    def check(self) -> None:
        """:raises RegistryError: when the registry does not answer or refuses the login."""
        self._http.check()

    def login(self) -> Login:
        """User and password for docker's clients, valid for at least ten minutes."""
        return self._http.login()

    def find(self, repository: str, reference: str) -> RemoteImage | None:
        """The image with that tag or digest, None if there is none."""
        found = self.manifest(repository, reference)
        if found is None:
            return None
        config = self._http.ask(
            "GET",
            f"/v2/{repository}/blobs/{found.config_digest}",
            f"repository:{repository}:pull",
            f"read the configuration of {repository}:{reference}",
        )
        return remote_image(found, config.json())

    def manifest(self, repository: str, reference: str) -> RemoteManifest | None:
        """The digests and size of that tag or digest, None if there is none."""
        body = self._manifest(repository, reference)
        if body is None:
            return None
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        manifest, manifest_digest = json.loads(body), digest
        if "manifests" in manifest:
            manifest_digest = platform_manifest(manifest)
            inner = self._manifest(repository, manifest_digest)
            if inner is None:
                return None  # the registry has replicated the index, but not yet the manifest
            manifest = json.loads(inner)
        return remote_manifest(digest, manifest_digest, manifest)

    def wait_for(self, repository: str, reference: str, *, seconds: float) -> RemoteManifest | None:
        """As :meth:`manifest` for a new image, which a replica can receive a little later."""
        end = time.monotonic() + seconds
        pause = 0.1
        while (found := self.manifest(repository, reference)) is None and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        return found

    def may_push(self, repository: str) -> bool:
        """Whether the identity may push: begin an upload and cancel it."""
        scope = f"repository:{repository}:pull,push"
        path = f"/v2/{repository}/blobs/uploads/"
        try:
            started = self._http.ask("POST", path, scope, "begin an upload")
        except RegistryError as error:
            if error.retryable:
                raise
            return False
        location = urlsplit(urljoin(self._http.url, started.headers.get("Location", "")))
        upload = f"{location.path}?{location.query}"
        with contextlib.suppress(RegistryError):  # the registry purges unfinished uploads
            self._http.ask("DELETE", upload, scope, "cancel an upload")
        return True

    def granted(self, repository: str) -> frozenset[str] | None:
        """The actions among pull and push that a token grants; nothing is uploaded.

        :return: None when the registry's tokens cannot be read.
        """
        claims = jwt_claims(self._http.token(f"repository:{repository}:pull,push"))
        try:
            return frozenset(
                str(action)
                for entry in claims["access"]
                if entry["name"] == repository
                for action in entry["actions"]
            )
        except (KeyError, TypeError):
            return None

    def has_referrers_api(self, repository: str) -> bool:
        """Whether the registry lists attached content; else a tag lists the content."""
        answer = self._http.ask(
            "GET",
            f"/v2/{repository}/referrers/sha256:{'0' * 64}",
            f"repository:{repository}:pull",
            f"see what is attached in {repository}",
            missing=True,
        )
        return answer.ok

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Let the tag name the image with that digest."""
        scope, action = f"repository:{repository}:pull,push", f"tag {repository}:{tag}"
        accept = {"Accept": ", ".join((*INDEXES, *MANIFESTS))}
        path = f"/v2/{repository}/manifests"
        found = self._http.ask("GET", f"{path}/{digest}", scope, action, headers=accept)
        kind = {"Content-Type": found.headers["Content-Type"]}
        self._http.ask("PUT", f"{path}/{tag}", scope, action, headers=kind, data=found.content)

    def referrers(self, repository: str, digest: str) -> Referrers:
        """The content attached to an image."""
        return Referrers(self._http, repository, digest)

    def _manifest(self, repository: str, reference: str) -> bytes | None:
        answer = self._http.ask(
            "GET",
            f"/v2/{repository}/manifests/{reference}",
            f"repository:{repository}:pull",
            f"read {repository}:{reference}",
            headers={"Accept": ", ".join((*INDEXES, *MANIFESTS))},
            missing=True,
        )
        return None if answer.status_code == 404 else answer.content
