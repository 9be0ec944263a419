"""What makes a redeploy start new pods: changed Secrets and ConfigMaps, and a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import pod_inputs, resources
from manifest_engine.domain.workload.pod import pod_spec

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

SECRETS = {"A": "pricing-quotes/token", "B": "pricing-quotes/user", "C": "pricing-quotes-db/x"}


def applied(read, before=None, **fields):
    release = make_release(**fields)
    annotations = pod_inputs.pod_annotations(release, before, read)
    objects = resources.workload(release, DIGEST, ARTIFACT, pod_annotations=annotations)
    return history.carry_over(objects, before)[0]


def release_hash(deployment):
    return annotation.read_annotations(deployment)[annotation.RELEASE_HASH]


def test_each_secret_of_the_containers_is_named_once():
    spec = pod_spec(make_release(secretEnv=SECRETS), DIGEST)
    assert pod_inputs.references(spec) == [
        ("Secret", "pricing-quotes"),
        ("Secret", "pricing-quotes-db"),
    ]


def test_volumes_and_init_containers_are_read_but_pull_secrets_are_not():
    spec = {
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"envFrom": [{"configMapRef": {"name": "init"}}]}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "certificate"}},
            {"name": "b", "configMap": {"name": "settings"}},
            {"name": "c", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
            {"name": "d", "emptyDir": {}},
        ],
    }
    assert pod_inputs.references(spec) == [
        ("ConfigMap", "init"),
        ("ConfigMap", "settings"),
        ("Secret", "certificate"),
        ("Secret", "projected"),
    ]


def test_the_number_of_requests_is_bounded():
    spec = {"volumes": [{"secret": {"secretName": f"s-{number}"}} for number in range(500)]}
    assert len(pod_inputs.references(spec)) == pod_inputs.REFERENCES_MAX


def test_a_changed_version_is_a_new_release_and_an_unchanged_one_is_not():
    first = applied({"Secret/a": "1"})
    assert release_hash(applied({"Secret/a": "1"}, first, run_id="run-2")) == release_hash(first)
    assert release_hash(applied({"Secret/a": "2"}, first)) != release_hash(first)
    assert pod_inputs.versions(first) == {"Secret/a": "1"}


def test_a_restart_is_a_new_release_once_and_stays_recorded():
    first = applied({})
    restarted = applied({}, first, restart=True, run_id="run-2")
    assert release_hash(restarted) != release_hash(first)
    again = applied({}, restarted, run_id="run-3")
    assert release_hash(again) == release_hash(restarted)


def test_another_try_of_a_restart_changes_nothing():
    restarted = applied({}, applied({}), restart=True)
    assert release_hash(applied({}, restarted, restart=True)) == release_hash(restarted)


def test_a_later_restart_is_another_release():
    release = make_release(restart=True)
    later = release.model_copy(update={"requested_at": release.requested_at + timedelta(hours=1)})
    assert pod_inputs.pod_annotations(release, None, {}) != pod_inputs.pod_annotations(
        later, None, {}
    )


def test_the_recorded_manifest_asks_for_no_restart():
    assert "restart" not in annotation.manifest(make_release(restart=True))


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_a_damaged_record_of_versions_is_empty(text):
    metadata = {"annotations": {annotation.READS: text}}
    assert pod_inputs.versions({"spec": {"template": {"metadata": metadata}}}) == {}
