"""The status of a route, and the diagnosis of its Gateway."""

from __future__ import annotations

import pytest
from manifest_engine.domain.environment.environment import Gateway
from manifest_engine.domain.route import routes
from manifest_engine.domain.route import status as route_status

from tests.unit.domain.release.releases import make_release

PLAIN = Gateway(name="gw", namespace="gateways")
HTTPS = Gateway(name="gw", namespace="gateways", section="https")


def answered(**changes):
    """One parent entry of a route's status."""
    reference = {"name": "gw", "namespace": "gateways"} | changes.pop("reference", {})
    seen = changes.pop("seen", 2)
    statuses = {"Accepted": "True", "ResolvedRefs": "True"} | changes
    conditions = [
        {"type": kind, "status": status, "reason": "R", "message": "m.", "observedGeneration": seen}
        for kind, status in statuses.items()
    ]
    return {"parentRef": reference, "conditions": conditions}


def judged(*parents, gateway=PLAIN):
    made = routes.route(make_release())
    made["metadata"]["generation"] = 2
    made["status"] = {"parents": list(parents)}
    return route_status.acceptance(made, gateway)


def test_a_route_is_accepted_for_its_current_generation():
    assert judged(answered()).accepted
    assert not judged(answered(seen=1)).accepted
    answer = judged(answered(ResolvedRefs="False"))
    assert (answer.problem, answer.refused) == ("ResolvedRefs is false, R: m", True)
    assert not judged(answered(Accepted="Unknown")).accepted


def test_other_conditions_do_not_count():
    assert judged(answered(PartiallyInvalid="False")).accepted


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "other"},
        {"namespace": "elsewhere"},
        {"namespace": None},
        {"sectionName": "http"},
        {"port": 80},
        {"kind": "Service", "group": ""},
    ],
)
def test_only_conditions_of_the_environments_gateway_count(reference):
    answer = judged(answered(reference=reference), answered(Accepted="False"))
    assert not answer.accepted
    assert "Accepted is false" in answer.problem
    assert judged(answered(reference=reference, Accepted="False"), answered()).accepted


def test_each_listener_has_its_own_conditions():
    whole = answered()
    https = answered(reference={"sectionName": "https"}, Accepted="False")
    assert judged(whole, https).accepted
    assert judged(whole, https, gateway=HTTPS).refused
    assert "has not answered" in judged(whole, gateway=HTTPS).problem


def listener(name="https", *, ready=True, from_="All", **fields):
    spec = {"name": name, "allowedRoutes": {"namespaces": {"from": from_}}} | fields
    status = {
        "name": name,
        "conditions": [
            {"type": "Programmed", "status": "True", "reason": "Programmed"}
            if ready
            else {
                "type": "ResolvedRefs",
                "status": "False",
                "reason": "InvalidCertificateRef",
                "message": "no such Secret",
            }
        ],
    }
    return spec, status


def seen(*listeners, gateway=PLAIN, host="dev.example.com", conditions=()):
    found = {
        "spec": {"listeners": [spec for spec, _ in listeners]},
        "status": {
            "conditions": list(conditions),
            "listeners": [status for _, status in listeners],
        },
    }
    return route_status.diagnosis(found, gateway, host, "apps")


def test_a_gateway_that_serves_the_route_has_no_diagnosis():
    assert seen(listener(hostname="*.example.com")) == ""
    one_bad = {"type": "Programmed", "status": "False", "reason": "ListenersNotValid"}
    assert seen(listener(ready=False), listener("http"), conditions=[one_bad]) == ""


@pytest.mark.parametrize(
    ("listeners", "gateway", "problem"),
    [
        ([listener(ready=False)], PLAIN, "not ready: ResolvedRefs is false, InvalidCertificateRef"),
        ([listener(ready=False), listener("http")], HTTPS, "listener 'https' is not ready"),
        ([listener(hostname="*.example.org")], PLAIN, "takes *.example.org, not dev.example.com"),
        ([listener("http")], HTTPS, "has no listener 'https', but http"),
        ([listener(from_="Same")], PLAIN, "routes of its own namespace alone"),
    ],
)
def test_a_listener_that_does_not_serve_the_route_is_explained(listeners, gateway, problem):
    assert problem in seen(*listeners, gateway=gateway)


def test_a_gateway_that_no_controller_has_seen_names_its_class_and_a_policy_of_azure():
    # The defaults of Gateway API's resource definition for a new Gateway.
    pending = [
        {
            "type": kind,
            "status": "Unknown",
            "reason": "Pending",
            "message": "Waiting for controller",
        }
        for kind in ("Accepted", "Programmed")
    ]
    problem = seen(listener(), conditions=pending)
    assert problem.startswith("no controller has programmed the Gateway gateways/gw")
    assert "Azure Policy" in problem


def test_a_gateway_that_is_not_ready_is_reported_first():
    waiting = {
        "type": "Programmed",
        "status": "False",
        "reason": "Pending",
        "message": "no address",
    }
    problem = seen(listener(ready=False), conditions=[waiting])
    assert (
        problem == "the Gateway gateways/gw is not ready: Programmed is false, Pending: no address"
    )
    assert route_status.diagnosis(None, PLAIN, "x", "apps") == (
        "the Gateway gateways/gw does not exist"
    )
