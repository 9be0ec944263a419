"""A ZIP that Artifactory announces, and the manifest of its deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from manifest_engine.domain.artifact import announced
from manifest_engine.domain.artifact.announced import Announcement
from manifest_engine.domain.core.errors import ArtifactError, ManifestError
from manifest_engine.domain.environment.inbound import Webhook

SHA256 = "ab" * 32
PATH = "pricing/quotes/1.4.0/quotes-1.4.0.zip"
FOUND = Announcement(environment="dev", artifact=f"datafactory/{PATH}", artifactSha256=SHA256)
# https://docs.jfrog.com/administration/docs/event-types, "Artifact was Deployed"
EVENT: dict[str, Any] = {
    "domain": "artifact",
    "event_type": "deployed",
    "data": {
        "repo_key": "datafactory",
        "path": PATH,
        "name": "quotes-1.4.0.zip",
        "sha256": SHA256,
        "size": 4711,
    },
    "subscription_key": "deployments",
    "jpd_origin": "https://team.jfrog.io",
    "source": "jfrog/ada",
}  # fmt: skip
FROM_PATH = {"component": "pricing", "serviceName": "quotes", "version": "1.4.0"}
OURS = {"environment": "dev", "artifact": f"datafactory/{PATH}", "artifactSha256": SHA256}


def body(**data: Any) -> bytes:
    return json.dumps(EVENT | {"data": EVENT["data"] | data}).encode()


def test_the_signature_is_an_hmac_of_the_body():
    # The known HMAC-SHA256 of this text, as `openssl dgst -sha256 -hmac key` prints it.
    text = b"The quick brown fox jumps over the lazy dog"
    digest = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    assert announced.is_signed(text, "key", digest)
    assert not announced.is_signed(text + b".", "key", digest)
    assert not announced.is_signed(text, "other", digest)
    assert not announced.is_signed(text, "key", "key")  # the secret itself, without signing
    assert not announced.is_signed(text, "key", "ü")
    assert not announced.is_signed(
        b"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
    )


def test_a_zip_is_announced():
    assert announced.read(body(), "dev") == FOUND


@pytest.mark.parametrize(
    "other",
    [
        json.dumps(EVENT | {"event_type": "deleted"}).encode(),
        json.dumps(EVENT | {"domain": "docker"}).encode(),
        body(path="pricing/quotes/readme.txt"),
        body(sha256="sample_checksum"),
        body(path="../secrets/x.zip"),
    ],
)
def test_other_events_announce_nothing(other):
    assert announced.read(other, "dev") is None


@pytest.mark.parametrize(
    "bad", [b"", b"[]", b"{}", b"\xff", b'{"domain": "artifact"}', b"[" * 9999]
)
def test_a_body_that_is_not_an_event_is_refused(bad):
    with pytest.raises(ManifestError, match="not an event of Artifactory"):
        announced.read(bad, "dev")


def test_the_same_zip_has_the_same_run_id():
    again = announced.read(body(), "dev")
    other = announced.read(body(sha256="cd" * 32), "dev")
    elsewhere = announced.read(body(), "prod")
    ids = [item.run_id for item in (FOUND, again, other, elsewhere) if item]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_the_manifest_in_the_zip_overrides_the_environments_manifest():
    conf = announced.manifest(FOUND, b'{"port": 9000}', {"port": 8000, "replicas": 3})
    assert conf == FROM_PATH | OURS | {"port": 9000, "replicas": 3}


def test_a_manifest_cannot_choose_another_environment():
    conf = announced.manifest(FOUND, b'{"environment": "prod", "version": "2"}', {})
    assert conf == FROM_PATH | OURS | {"version": "2"}


@pytest.mark.parametrize("name", ["rebuild", "takeOver", "dryRun", "artifact", "artifactSha256"])
def test_the_manifest_in_a_zip_cannot_set_every_field(name):
    with pytest.raises(ArtifactError, match=f"sets {name}, which"):
        announced.manifest(FOUND, json.dumps({name: 1}).encode(), {})


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{" * 9999])
def test_a_manifest_must_be_an_object(content):
    with pytest.raises(ArtifactError, match="is not a JSON object"):
        announced.manifest(FOUND, content, {})


def test_a_zip_without_a_manifest_needs_one_in_the_environment():
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        announced.manifest(FOUND, None, {})
    assert announced.manifest(FOUND, None, {"replicas": 1}) == FROM_PATH | OURS | {"replicas": 1}


@pytest.mark.parametrize(
    ("version", "live", "skipped"),
    [
        ("1.4.0", None, False),
        ("1.4.0", "1.4.0", False),
        ("1.10.0", "1.9.0", False),
        ("1.9.0", "1.10.0", True),
        ("1.4.0rc1", "1.4.0", True),
        ("main-4711", "1.4.0", False),  # these cannot be compared
        ("1.4.0", "main-4711", False),
    ],
)
def test_an_older_version_is_skipped(version, live, skipped):
    assert bool(announced.older(version, live)) is skipped


def test_patterns_of_paths():
    block = Webhook(connection="c", paths=("datafactory/*/*/*/*.zip",))
    assert block.takes(FOUND.artifact)
    assert not block.takes("other/pricing/quotes/1/quotes-1.zip")
