"""The objects of a removal, and its confirmation."""

from datetime import UTC, datetime, timedelta

import pytest
from manifest_engine.domain.core.errors import ManifestError, StateError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.removal import removal
from manifest_engine.domain.route import routes
from manifest_engine.domain.smoke import pod as smoke_pod
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

ASKED = {
    "component": "pricing",
    "serviceName": "quotes",
    "environment": "dev",
    "confirm": "pricing-quotes",
}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def planned(requested_at=NOW, environment=None):
    configured = {"dev": environment or make_release().environment}
    return removal.plan(
        removal.parse(ASKED),
        configured,
        run_id="removal-1",
        requested_at=requested_at,
        requested_by="ada",
    )


@pytest.mark.parametrize("typed", ["", "quotes", "Pricing-Quotes", "pricing-quotes "])
def test_a_wrong_confirmation_removes_nothing_and_says_what_to_type(typed):
    with pytest.raises(ManifestError, match="type 'pricing-quotes' into confirm") as raised:
        removal.parse(ASKED | {"confirm": typed})
    assert repr(typed) in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"component": "Pricing"}, "did you mean 'pricing'"),
        ({"serviceName": "../pods"}, "cannot be the name of a service"),
        ({"enviroment": "dev"}, "did you mean 'environment'"),
        ({"confirm": None}, "confirm is missing"),
    ],
)
def test_an_invalid_request_is_explained(change, message):
    with pytest.raises(ManifestError, match=message):
        removal.parse(ASKED | change)


def test_an_unknown_environment_is_refused_with_a_list_of_environments():
    asked = removal.parse(ASKED | {"environment": "dve"})
    with pytest.raises(ManifestError, match="did you mean 'dev'"):
        removal.plan(
            asked,
            {"dev": make_release().environment},
            run_id="r",
            requested_at=NOW,
            requested_by="ada",
        )


def test_a_removal_covers_every_object_that_a_release_can_have():
    scaled = make_release(autoscale={"minReplicas": 2, "maxReplicas": 3})
    applied = {resources.key(item) for item in resources.workload(scaled, DIGEST, ARTIFACT)}
    assert {resources.key(item) for item in removal.workload(planned())} == applied
    assert resources.key(removal.route(planned())) == resources.key(routes.route(scaled))


def test_the_route_has_the_environments_kind():
    ingress = {
        "api": "ingress",
        "url": "https://dev.example.com",
        "ingress": {"className": "nginx"},
    }
    release = make_release(routing=ingress)
    found = removal.route(planned(environment=release.environment))
    assert resources.key(found) == resources.key(routes.route(release))


def test_a_service_deployed_after_the_removal_was_requested_stays():
    live = resources.workload(make_release(), DIGEST, ARTIFACT)[0]
    with pytest.raises(StateError, match="superseded: run-1"):
        superseded.refuse(planned(NOW - timedelta(seconds=1)), live)
    superseded.refuse(planned(NOW + timedelta(seconds=1)), live)


def test_a_removal_survives_xcom():
    assert removal.load(planned().dump()) == planned()
    with pytest.raises(StateError, match="validate_removal"):
        removal.load(None)


def test_every_field_of_the_form_is_described_and_required():
    configured = environments.load(environments.INCLUDE / "environments.yaml")
    fields = {field.name: field for field in form.request_fields(removal.Request, configured)}
    assert list(fields) == list(ASKED)
    assert fields["environment"].schema["enum"] == ["dev"]
    for field in fields.values():
        assert field.required
        assert field.schema["title"]
        assert field.schema["description_md"]


def test_pod_labels_match_pods_of_a_release_and_no_smoke_pod():
    labels = removal.pod_labels(planned()).items()
    release = make_release(component="pricing", serviceName="quotes")
    deployment = resources.workload(release, DIGEST, ARTIFACT)[0]
    assert labels <= deployment["spec"]["template"]["metadata"]["labels"].items()
    smoke = smoke_pod.smoke_pod(release, DIGEST)
    assert not labels <= smoke["metadata"]["labels"].items()


def test_pods_that_still_run_are_named_with_their_node():
    pods = [{"metadata": {"name": "quotes-1"}, "spec": {"nodeName": "node-7"}}]
    sentence = removal.pods_still_running(planned(), pods, 40)
    assert "pricing-quotes is removed" in sentence
    assert "not ended 40 s later: quotes-1 on node-7." in sentence
