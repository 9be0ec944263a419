"""Changes by hand, found in the field ownership that a real API server recorded.

``by_hand.json`` is a Deployment of Kubernetes 1.36 after a server-side apply by ``manifest-engine``
and ``kubectl scale`` (there and back), ``set env``, ``set image``, ``set resources``,
``rollout restart`` and ``rollout pause``.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from manifest_engine.domain.drift import drift, managed_fields
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.drift.managed_fields import MISSING
from manifest_engine.domain.release import annotations as annotation

from tests.unit.domain.release.releases import make_release

LIVE = json.loads(Path(__file__).with_name("by_hand.json").read_text())
CONTAINER = {
    "name": "app",
    "image": "registry.example/a@sha256:1",
    "env": [{"name": "TEXT", "value": "first"}],
    "resources": {"limits": {"memory": "0.5Gi"}},
}
RECORDED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "pricing-quotes"},
    "spec": {"replicas": 0, "template": {"spec": {"containers": [CONTAINER]}}},
}
APP = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"app"}')
IMAGE = "spec.template.spec.containers[app].image"
DEBUG = "spec.template.spec.containers[app].env[DEBUG]"
RESTARTED = "spec.template.metadata.annotations"


def with_container(**changes):
    made = copy.deepcopy(RECORDED)
    made["spec"]["template"]["spec"]["containers"][0] |= changes
    return made


def owned(manager, *path, live=LIVE, **fields):
    """The live Deployment with one more owner of a field."""
    made = copy.deepcopy(live)
    made["spec"] |= fields
    entry = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1"}
    made["metadata"]["managedFields"].append(entry | {"fieldsV1": managed_fields.to_fields([path])})
    return made


def by_field(found):
    return {change.field: change for change in found}


def test_each_change_is_named_with_manager_field_and_both_values():
    found = by_field(drift.find(LIVE, RECORDED, RECORDED))
    assert set(found) == {
        IMAGE,
        DEBUG,
        "spec.template.spec.containers[app].env[DB_PASSWORD]",
        "spec.paused",
        RESTARTED,
    }
    assert str(found[IMAGE]) == (
        f"'kubectl-set' set {IMAGE} of Deployment 'pricing-quotes' to "
        '"registry.example/other:2"; the release sets "registry.example/a@sha256:1"'
    )
    assert str(found["spec.paused"]) == (
        "'kubectl-rollout' set spec.paused of Deployment 'pricing-quotes' to true; the release "
        "does not set it"
    )
    assert not any(change.agreed for change in found.values())


def test_a_possible_secret_is_hidden():
    said = drift.refusal(drift.find(LIVE, RECORDED, RECORDED))
    assert "hush" not in said
    assert 'env[DEBUG] of Deployment \'pricing-quotes\' to {"name": "DEBUG", "value": "1"}' in said
    planned = with_container(env=[{"name": "DB_PASSWORD", "value": "other"}])
    said = drift.refusal(drift.find(LIVE, planned, RECORDED))
    assert "other" not in said.replace("registry.example/other", "")


def test_a_sentence_lists_a_bounded_number_of_fields():
    found = drift.find(LIVE, RECORDED, RECORDED) * 20
    assert "and 92 more fields" in drift.refusal(found)


def test_a_field_with_the_recorded_value_is_taken_over_without_a_word():
    """After ``kubectl scale`` there and back, kubectl owns the field, but nothing is lost."""
    live = owned("kubectl", *drift.REPLICAS, replicas=2)
    recorded, desired = copy.deepcopy(RECORDED), copy.deepcopy(RECORDED)
    recorded["spec"]["replicas"], desired["spec"]["replicas"] = 2, 3
    change = by_field(drift.find(live, desired, recorded))["spec.replicas"]
    assert change.agreed
    assert Policy("refuse").action(change) == "take"


def test_the_same_quantity_in_another_form_is_no_change():
    live = owned("kubectl-set", *APP, "f:resources", "f:limits", "f:memory")
    field = "spec.template.spec.containers[app].resources.limits.memory"
    assert field not in by_field(drift.find(live, RECORDED, RECORDED))
    more = with_container(resources={"limits": {"memory": "1Gi"}})
    assert by_field(drift.find(live, more, RECORDED))[field].agreed


def test_a_scaling_to_zero_is_found_although_it_has_no_owner():
    recorded = copy.deepcopy(RECORDED)
    recorded["spec"]["replicas"] = 2
    change = by_field(drift.find(LIVE, recorded, recorded))["spec.replicas"]
    assert str(change).startswith("'kubectl scale' set spec.replicas of Deployment")
    assert Policy().action(change) == "refuse"


@pytest.mark.parametrize("manager", ["kube-controller-manager", "manifest-engine-autoscale"])
def test_a_scaling_by_the_former_autoscaler_is_no_change_by_hand(manager):
    live = owned(manager, *drift.REPLICAS, replicas=5)
    desired = copy.deepcopy(RECORDED)
    desired["spec"]["replicas"] = 2
    assert all(
        change.agreed for change in drift.find(live, desired, None) if change.path == drift.REPLICAS
    )


def test_only_a_deployment_must_consist_of_what_the_release_sets():
    live = owned("cloud", "f:spec", "f:externalName", externalName="x") | {"kind": "Service"}
    assert "spec.externalName" not in by_field(drift.find(live, RECORDED, RECORDED))
    assert DEBUG not in by_field(drift.find(live, RECORDED, RECORDED))


@pytest.mark.parametrize(
    ("policy", "actions"),
    [
        (Policy(), ("refuse", "take", "take")),
        (Policy("refuse"), ("refuse", "refuse", "take")),
        (Policy("report"), ("refuse", "leave", "leave")),
        (Policy("report", everything=True), ("take", "leave", "leave")),
        (Policy("refuse", everything=True), ("take", "take", "take")),
        (
            Policy("report", named=frozenset({("Deployment", "kubectl-set", IMAGE)})),
            ("take", "leave", "leave"),
        ),
        (
            Policy(named=frozenset({("Deployment", "other", IMAGE)})),
            ("refuse", "take", "take"),
        ),
    ],
)
def test_the_policy_decides_by_kind_of_change(policy, actions):
    live = owned("kubectl-rollout", "f:spec", "f:template", "f:metadata")
    live["metadata"]["managedFields"][-2]["fieldsV1"]["f:spec"]["f:template"]["f:metadata"][
        "f:annotations"
    ].pop(".")
    found = by_field(drift.find(live, RECORDED, RECORDED))
    restarted = f"{RESTARTED}[kubectl.kubernetes.io/restartedAt]"
    assert tuple(policy.action(found[field]) for field in (IMAGE, DEBUG, restarted)) == actions


def test_a_nightly_rebuild_takes_nothing_back():
    release = make_release(rebuild={"releaseHash": "h", "digest": "sha256:" + "a" * 64})
    assert Policy.of(release).drift == "refuse"
    assert Policy.of(make_release()).drift == "takeBack"


def test_the_record_counts_only_while_it_is_ours():
    live = copy.deepcopy(LIVE)
    live["metadata"]["annotations"][annotation.OBJECTS] = annotation.pack([RECORDED])
    assert drift.recorded(live) == [RECORDED]
    undone = owned(
        *("kubectl", "f:metadata", "f:annotations", f"f:{annotation.RELEASE_HASH}"), live=live
    )
    assert drift.recorded(undone) == []
    assert drift.recorded(None) == []


def test_a_removed_field_is_named():
    live = copy.deepcopy(LIVE)
    live["spec"]["template"]["spec"]["containers"][0]["env"].pop(0)
    assert drift.removed(live["spec"], RECORDED["spec"]) == [
        "template.spec.containers[app].env[TEXT].name",
        "template.spec.containers[app].env[TEXT].value",
    ]
    assert drift.removed(LIVE["spec"], RECORDED["spec"]) == []


def test_taken_fields_change_their_owner_and_nothing_else_does():
    found = drift.find(LIVE, RECORDED, RECORDED)
    taken = {
        "kubectl-set": {
            path for change in found if change.manager == "kubectl-set" for path in change.paths
        }
    }
    made = managed_fields.handed_over(LIVE, taken, set())
    assert [entry["manager"] for entry in made] == [
        "manifest-engine",
        "kube-controller-manager",
        "kubectl-rollout",
    ]
    ours = set(managed_fields.members(made[0]["fieldsV1"]))
    before = set(managed_fields.members(LIVE["metadata"]["managedFields"][0]["fieldsV1"]))
    assert ours == before | taken["kubectl-set"]
    assert made[1:] == LIVE["metadata"]["managedFields"][2:]


def test_a_first_owner_of_ours_is_made_and_a_released_field_has_none():
    live = copy.deepcopy(LIVE)
    del live["metadata"]["managedFields"][0]
    made = managed_fields.handed_over(live, {"kubectl-set": {(*APP, "f:image")}}, set())
    assert (made[-1]["manager"], made[-1]["operation"]) == ("manifest-engine", "Apply")
    live = owned("nobody", live=LIVE)
    live["metadata"]["managedFields"][-1] = LIVE["metadata"]["managedFields"][0] | {
        "fieldsV1": managed_fields.to_fields([drift.REPLICAS])
    }
    assert managed_fields.handed_over(live, {}, {drift.REPLICAS}) == made_without_last(live)


def made_without_last(live):
    return live["metadata"]["managedFields"][:-1]


def test_a_set_survives_the_way_there_and_back():
    for entry in LIVE["metadata"]["managedFields"]:
        paths = set(managed_fields.members(entry["fieldsV1"]))
        assert managed_fields.to_fields(paths) == entry["fieldsV1"]


def test_values_are_found_by_name_keys_and_index():
    assert managed_fields.value(LIVE, (*APP, "f:image")) == "registry.example/other:2"
    port = 'k:{"containerPort":8002,"protocol":"TCP"}'
    assert managed_fields.value(LIVE, (*APP, "f:ports", port, "f:name")) == "http"
    assert managed_fields.value({"a": ["x", "y"]}, ("f:a", 'v:"y"')) == "y"
    assert managed_fields.value({"a": ["x", "y"]}, ("f:a", "i:1")) == "y"
    assert managed_fields.value(LIVE, ("f:spec", "f:none", "f:deeper")) is MISSING
    assert managed_fields.text((*APP, "f:ports", port)).endswith("containers[app].ports[8002/TCP]")


def test_the_result_of_a_removal_has_no_empty_list_or_map():
    path = (*APP, "f:env", 'k:{"name":"TEXT"}')
    made = managed_fields.without(RECORDED, [path, (*path, "f:value"), (*path, "f:name")])
    assert "env" not in made["spec"]["template"]["spec"]["containers"][0]
    assert "env" in RECORDED["spec"]["template"]["spec"]["containers"][0]
    assert managed_fields.without(RECORDED, [("f:spec", "f:none")]) == RECORDED
