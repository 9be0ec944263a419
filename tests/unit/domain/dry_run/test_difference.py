"""A dry run shows the changed fields of an object without bookkeeping."""

import copy
import json

from manifest_engine.domain.dry_run import difference
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release


def deployment(**fields):
    """A Deployment as the API server returns it."""
    made = resources.workload(make_release(**fields), DIGEST, ARTIFACT)[0]
    made["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 3, "managedFields": []}
    return made | {"status": {"replicas": 2}}


def changed(before, after):
    change = difference.compare(before, after)
    return {item.field: (item.before, item.after) for item in change.fields}


def test_a_missing_object_would_be_created():
    assert str(difference.compare(None, deployment())) == (
        "Deployment pricing-quotes: would be created"
    )


def test_the_same_release_from_another_run_is_unchanged():
    live = deployment(run_id="run-1")
    change = difference.compare(live, deployment(run_id="run-2") | {"status": {"replicas": 9}})
    assert (change.action, change.fields) == ("unchanged", ())
    assert str(change) == "Deployment pricing-quotes: stays as it is"


def test_a_changed_field_has_its_path_and_both_values():
    found = changed(deployment(env={"A": "1"}), deployment(env={"A": "2", "B": "3"}))
    app = "spec.template.spec.containers[app]"
    assert found[f"{app}.env[A].value"] == ('"1"', '"2"')
    assert found[f"{app}.env[B].value"] == ("(none)", '"3"')


def test_the_manifest_is_compared_field_by_field():
    found = changed(deployment(), deployment(owner="ada"))
    assert found == {
        f"metadata.annotations[{annotation.MANIFEST}].owner": ("(none)", '"ada"'),
    }


def test_bookkeeping_annotations_are_not_shown():
    first = deployment(version="1")
    first["status"] = {
        "observedGeneration": 3,
        "updatedReplicas": 1,
        "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
    }
    desired = resources.workload(make_release(version="2"), DIGEST, ARTIFACT)
    second = history.carry_over(desired, first)[0]
    assert annotation.LAST_GOOD in second["metadata"]["annotations"]
    fields = " ".join(changed(first, second))
    assert "last-good" not in fields
    assert "objects" not in fields


def test_a_long_value_is_cut():
    before, after = deployment(), deployment(env={"A": "x" * 900})
    longest = max(len(value) for _, value in changed(before, after).values())
    assert longest < 220


def test_items_without_names_are_numbered():
    before = {"kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": {"hostnames": ["a", "b"]}}
    after = copy.deepcopy(before)
    after["spec"]["hostnames"][1] = "c"
    assert changed(before, after) == {"spec.hostnames[1]": ('"b"', '"c"')}


def test_the_placeholder_of_an_unknown_digest_is_replaced():
    new = "sha256:" + "0" * 64
    after = resources.workload(make_release(), new, ARTIFACT)[0]
    shown = difference.replace_text([difference.compare(deployment(), after)], new, "(to be built)")
    text = str(shown[0])
    assert "0000" not in text
    assert "(to be built)" in text
    json.dumps([item.dump() for item in shown])


def test_dry_run_does_not_change_the_objects():
    assert deployment(dryRun=True) == deployment()


def test_a_change_dumps_to_plain_json():
    dumped = difference.compare(deployment(), deployment(owner="ada")).dump()
    assert json.loads(json.dumps(dumped)) == dumped
