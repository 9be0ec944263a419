"""A manifest depends on the content alone, so a retry does not attach the content twice."""

import json

from manifest_engine.domain.image import referrer

SUBJECT = referrer.Descriptor(referrer.MANIFEST, "sha256:" + "ab" * 32, 1669)
KIND = "application/vnd.cyclonedx+json"


def test_a_manifest_has_subject_type_and_content() -> None:
    made = json.loads(referrer.manifest(SUBJECT, KIND, b"content"))
    assert made["subject"] == {
        "mediaType": referrer.MANIFEST,
        "digest": SUBJECT.digest,
        "size": 1669,
    }
    assert made["artifactType"] == KIND
    assert made["layers"] == [referrer.describe(KIND, b"content").dump()]
    # The empty descriptor as the image specification gives it.
    assert made["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }


def test_the_same_content_gives_the_same_manifest() -> None:
    made = [referrer.manifest(SUBJECT, KIND, b"content") for _ in range(2)]
    assert made[0] == made[1]


def test_the_fallback_tag_follows_the_specification() -> None:
    assert referrer.fallback_tag(SUBJECT.digest) == "sha256-" + "ab" * 32


def test_an_index_keeps_other_entries_and_lists_ours_once() -> None:
    foreign = {"mediaType": referrer.MANIFEST, "digest": "sha256:1", "size": 1}
    made = referrer.manifest(SUBJECT, KIND, b"content")
    once = json.loads(referrer.with_entry({"manifests": [foreign]}, made, KIND))
    twice = json.loads(referrer.with_entry(once, made, KIND))
    assert once == twice
    assert [entry["digest"] for entry in twice["manifests"]] == ["sha256:1", referrer.digest(made)]
    assert referrer.has_entry(twice, KIND)
    assert not referrer.has_entry({"manifests": [foreign]}, KIND)
    assert not referrer.has_entry({}, KIND)
