"""The registry's HTTP API (OCI distribution specification 1.1), as far as a deployment needs it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from manifest_engine.domain.build_cache import Layers, Step
from manifest_engine.domain.errors import RegistryError
from manifest_engine.hooks.buildx import Login
from manifest_engine.hooks.registry_auth import Challenge, Identity
from manifest_engine.hooks.retrying import Impatient, send_patiently

_TIMEOUT = (5, 30)
"""Seconds to connect, and between two pieces of an answer."""
_JSON_MAX = 4 << 20
"""Manifests may have 4 MiB (OCI distribution specification, "Pushing Manifests")."""
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class RemoteImage:
    """An image in the registry."""

    digest: str
    """Of what the tag names, computed from the bytes: a manifest or an index."""
    manifest_digest: str
    """Of the platform's manifest: the same, unless the tag names an index."""
    config_digest: str
    labels: dict[str, str]
    size: int
    """Bytes of all layers, packed."""
    layers: Layers


class RegistryApi:
    """One registry, spoken to as one identity.

    :param url: ``https://host[:port]``.
    :param verify: True, or the path of a file with certificate authorities.
    :param deadline_seconds: for one call with all its retries.
    """

    def __init__(
        self, url: str, identity: Identity, *, verify: bool | str, deadline_seconds: float = 60
    ) -> None:
        self._url = url
        self._identity = identity
        self._verify = verify
        self._deadline = deadline_seconds
        self._session = requests.Session()
        self._tokens: dict[str, str] = {}

    @property
    def host(self) -> str:
        """The login server."""
        return urlsplit(self._url).netloc

    def check(self) -> None:
        """:raises RegistryError: when it does not answer or does not know us."""
        self._ask("GET", "/v2/", "", "reach it")

    def login(self) -> Login:
        """User and password for docker's clients, good for at least ten minutes."""
        answer = self._send("GET", f"{self._url}/v2/")
        challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            challenge = Challenge(f"{self._url}/oauth2/token", self.host, "")
        self._require_safe(challenge)
        return self._identity.login(challenge, self._send_for_token)

    def find(self, repository: str, reference: str) -> RemoteImage | None:
        """The image of that tag or digest, None if there is none."""
        body = self._manifest(repository, reference)
        if body is None:
            return None
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        manifest, manifest_digest = json.loads(body), digest
        if "manifests" in manifest:
            manifest_digest = _platform(manifest)
            inner = self._manifest(repository, manifest_digest)
            if inner is None:
                return None  # replication is eventual: the index came first
            manifest = json.loads(inner)
        config = json.loads(self._blob(repository, manifest["config"]["digest"]))
        return RemoteImage(
            digest=digest,
            manifest_digest=manifest_digest,
            config_digest=manifest["config"]["digest"],
            labels=(config.get("config") or {}).get("Labels") or {},
            size=sum(layer["size"] for layer in manifest["layers"]),
            layers=_layers(config),
        )

    def may_push(self, repository: str) -> bool:
        """Whether we may push there right now: an upload is begun and given up."""
        scope = f"repository:{repository}:pull,push"
        try:
            begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/", scope, "begin an upload")
        except RegistryError as error:
            if error.retryable:
                raise
            return False
        location = urlsplit(urljoin(self._url, begun.headers.get("Location", "")))
        with contextlib.suppress(RegistryError):  # the registry purges what was given up
            self._ask("DELETE", f"{location.path}?{location.query}", scope, "give an upload up")
        return True

    def wait_for(self, repository: str, reference: str, *, seconds: float) -> RemoteImage | None:
        """As :meth:`find`, for an image just pushed: other replicas may know it a little later."""
        end = time.monotonic() + seconds
        pause = 0.1
        while (found := self.find(repository, reference)) is None and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        return found

    def _manifest(self, repository: str, reference: str) -> bytes | None:
        answer = self._ask(
            "GET",
            f"/v2/{repository}/manifests/{reference}",
            f"repository:{repository}:pull",
            f"read {repository}:{reference}",
            headers={"Accept": ", ".join((*INDEXES, *MANIFESTS))},
            missing=True,
        )
        return None if answer.status_code == 404 else answer.content[:_JSON_MAX]

    def _blob(self, repository: str, digest: str) -> bytes:
        answer = self._ask(
            "GET",
            f"/v2/{repository}/blobs/{digest}",
            f"repository:{repository}:pull",
            f"read the configuration of an image in {repository}",
        )
        return answer.content[:_JSON_MAX]

    def _ask(
        self,
        method: str,
        path: str,
        scope: str,
        deed: str,
        *,
        missing: bool = False,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """One call; a challenge is answered once, since the token may have run out meanwhile.

        :param deed: what is tried, for the error.
        :param missing: whether 404 is an answer and no error.
        """
        for _ in range(2):
            bearer = self._tokens.get(scope)
            given = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            answer = self._send(method, self._url + path, headers={**(headers or {}), **given})
            if answer.status_code != 401:
                break
            challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
            if challenge is None:
                break
            self._require_safe(challenge)
            self._tokens[scope] = self._identity.token(challenge, self._send_for_token)
        if answer.ok or (missing and answer.status_code == 404):
            return answer
        raise self._refused(answer, deed)

    def _require_safe(self, challenge: Challenge) -> None:
        if self._url.startswith("https://") and not challenge.realm.startswith("https://"):
            raise RegistryError(
                f"The registry {self.host} wants the login sent to {challenge.realm}, which is not "
                "https; it is not sent there."
            )

    def _send_for_token(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        answer = self._send(method, url, **options)
        if not answer.ok:
            raise self._refused(answer, f"get a token from {urlsplit(url).netloc}")
        told: dict[str, Any] = answer.json()
        return told

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        def once() -> requests.Response:
            return self._session.request(
                method, url, verify=self._verify, timeout=_TIMEOUT, auth=_no_netrc, **options
            )

        return self._patiently(once)

    def _patiently(self, once: Callable[[], requests.Response]) -> requests.Response:
        try:
            return send_patiently(once, deadline_seconds=self._deadline)
        except Impatient as error:
            raise RegistryError(
                f"The registry {self.host} could not be reached for {self._deadline:.0f} s: "
                f"{error}.",
                retryable=True,
            ) from error
        except requests.exceptions.SSLError as error:
            raise RegistryError(
                f"The registry {self.host} could not be spoken to by TLS ({error}); put the path "
                "of its authority's certificates into 'verify' of the acr Connection's extra."
            ) from error

    def _refused(self, answer: requests.Response, deed: str) -> RegistryError:
        advice = {
            401: "correct login and password (or the Entra ID identity) of the acr Connection",
            403: "give the Connection's identity the role AcrPush on this registry",
            404: "see whether the Connection's host is the login server",
            405: "unlock the tag or repository, or give a new version",
        }.get(answer.status_code, "see the registry's own log")
        retryable = answer.status_code == 429 or answer.status_code >= 500
        return RegistryError(
            f"The registry {self.host} refused to let us {deed}: HTTP {answer.status_code} "
            f"({_words(answer)}); {advice}.",
            retryable=retryable,
        )


def _layers(config: dict[str, Any]) -> Layers:
    history = (
        Step(entry.get("created_by", ""), not entry.get("empty_layer"))
        for entry in config.get("history") or []
    )
    return Layers(tuple(history), tuple(config.get("rootfs", {}).get("diff_ids") or []))


def _platform(index: dict[str, Any]) -> str:
    """The digest of the image in an index; attestations in it have the platform "unknown"."""
    for entry in index["manifests"]:
        if (entry.get("platform") or {}).get("os") != "unknown":
            return str(entry["digest"])
    return str(index["manifests"][0]["digest"])


def _words(answer: requests.Response) -> str:
    """The messages of the specification's error document, or the beginning of the body."""
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{item['code']}: {item.get('message', '')}" for item in errors)
    except (ValueError, KeyError, TypeError):
        return " ".join(answer.text.split())[:200] or answer.reason


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an ``auth`` requests would put a login from ~/.netrc over our own."""
    return request
