"""Attach content to an image in the registry, and look up attached content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.core.printable import ANSWER_MAX
from manifest_engine.domain.image import referrer
from manifest_engine.hooks.registry.remote_image import MANIFESTS

if TYPE_CHECKING:
    from manifest_engine.hooks.registry.http import RegistryHttp


class Referrers:
    """The content attached to one image.

    :param digest: digest of the image's manifest.
    """

    def __init__(self, http: RegistryHttp, repository: str, digest: str) -> None:
        self._http = http
        self._repository = repository
        self._digest = digest

    def has(self, media_type: str) -> bool:
        """Whether content of this media type is attached to the image."""
        return referrer.has_entry(self._index() or {}, media_type)

    def read(self, media_type: str) -> bytes | None:
        """Read the newest content of a media type that is attached to the image.

        :return: None if nothing of this type is attached.

        :raises RegistryError: when the content has more than ``ANSWER_MAX`` bytes, or the registry
            refuses or does not answer.
        """
        entry = referrer.entry(self._index() or {}, media_type)
        if entry is None:
            return None
        manifest = self._get(f"manifests/{entry}")
        content = referrer.content(manifest.json()) if manifest.ok else None
        if content is None:
            return None
        if content.size > ANSWER_MAX:
            raise RegistryError(
                f"The content attached to {self._repository}@{self._digest} has "
                f"{content.size >> 20} MiB; at most {ANSWER_MAX >> 20} MiB are read."
            )
        found: bytes = self._get(f"blobs/{content.digest}").content
        return found

    def attach(self, media_type: str, content: bytes) -> str:
        """Attach the content, and return the digest of the new manifest.

        :raises RegistryError: when the registry refuses the content.
        """
        subject = self._subject()
        made = referrer.manifest(subject, media_type, content)
        for blob in (referrer.EMPTY, content):
            self._upload(blob)
        answer = self._put(referrer.digest(made), referrer.MANIFEST, made)
        if "OCI-Subject" not in answer.headers:
            # Without the referrers API a tag lists the attached content (distribution
            # specification, section 7).
            tag = referrer.fallback_tag(self._digest)
            index = referrer.with_entry(self._tagged_index(), made, media_type)
            self._put(tag, referrer.INDEX, index)
        return referrer.digest(made)

    def _index(self) -> dict[str, Any] | None:
        answer = self._get(f"referrers/{self._digest}")
        return answer.json() if answer.ok else self._tagged_index()

    def _tagged_index(self) -> dict[str, Any] | None:
        answer = self._get(f"manifests/{referrer.fallback_tag(self._digest)}")
        return answer.json() if answer.ok else None

    def _subject(self) -> referrer.Descriptor:
        answer = self._get(f"manifests/{self._digest}")
        if not answer.ok:
            raise RegistryError(
                f"{self._http.host}/{self._repository}@{self._digest} is not in the registry, so "
                "nothing can be attached to it."
            )
        return referrer.describe(answer.headers["Content-Type"], answer.content)

    def _get(self, path: str) -> Any:
        return self._http.ask(
            "GET",
            f"/v2/{self._repository}/{path}",
            f"repository:{self._repository}:pull",
            f"see what is attached in {self._repository}",
            missing=True,
            headers={"Accept": f"{', '.join((referrer.INDEX, *MANIFESTS))}"},
        )

    def _upload(self, content: bytes) -> None:
        scope, action = self._push_scope, f"upload to {self._repository}"
        begun = self._http.ask("POST", f"/v2/{self._repository}/blobs/uploads/", scope, action)
        place = urlsplit(urljoin(self._http.url, begun.headers["Location"]))
        query = f"{place.query}&" if place.query else ""
        query += f"digest={quote(referrer.digest(content), safe='')}"
        self._http.ask(
            "PUT",
            f"{place.path}?{query}",
            scope,
            action,
            headers={"Content-Type": "application/octet-stream"},
            data=content,
        )

    def _put(self, reference: str, media_type: str, content: bytes) -> Any:
        return self._http.ask(
            "PUT",
            f"/v2/{self._repository}/manifests/{reference}",
            self._push_scope,
            f"attach to an image in {self._repository}",
            headers={"Content-Type": media_type},
            data=content,
        )

    @property
    def _push_scope(self) -> str:
        return f"repository:{self._repository}:pull,push"
