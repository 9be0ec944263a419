"""What a Gateway says of a route, and what is wrong with the Gateway itself."""

from __future__ import annotations

import pytest
from manifest_engine.domain.environment.environment import Gateway
from manifest_engine.domain.route import routes
from manifest_engine.domain.route import status as route_status

from tests.unit.domain.release.releases import make_release

PLAIN = Gateway(name="gw", namespace="gateways")
HTTPS = Gateway(name="gw", namespace="gateways", section="https")


def answered(**changes):
    """One entry of a route's status."""
    reference = {"name": "gw", "namespace": "gateways"} | changes.pop("reference", {})
    seen = changes.pop("seen", 2)
    told = {"Accepted": "True", "ResolvedRefs": "True"} | changes
    conditions = [
        {"type": kind, "status": status, "reason": "R", "message": "m.", "observedGeneration": seen}
        for kind, status in told.items()
    ]
    return {"parentRef": reference, "conditions": conditions}


def judged(*parents, gateway=PLAIN):
    made = routes.route(make_release())
    made["metadata"]["generation"] = 2
    made["status"] = {"parents": list(parents)}
    return route_status.acceptance(made, gateway)


def test_a_route_is_accepted_when_the_gateway_says_so_of_its_present_state():
    assert judged(answered()).accepted
    assert not judged(answered(seen=1)).accepted
    said = judged(answered(ResolvedRefs="False"))
    assert (said.problem, said.refused) == ("ResolvedRefs is false, R: m", True)
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
def test_only_the_answer_of_the_environments_own_gateway_counts(reference):
    said = judged(answered(reference=reference), answered(Accepted="False"))
    assert not said.accepted
    assert "Accepted is false" in said.problem
    assert judged(answered(reference=reference, Accepted="False"), answered()).accepted


def test_each_listener_answers_for_itself():
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


def test_nothing_is_told_of_a_gateway_that_takes_the_route():
    assert seen(listener(hostname="*.example.com")) == ""
    one_bad = {"type": "Programmed", "status": "False", "reason": "ListenersNotValid"}
    assert seen(listener(ready=False), listener("http"), conditions=[one_bad]) == ""


@pytest.mark.parametrize(
    ("listeners", "gateway", "said"),
    [
        ([listener(ready=False)], PLAIN, "not ready: ResolvedRefs is false, InvalidCertificateRef"),
        ([listener(ready=False), listener("http")], HTTPS, "listener 'https' is not ready"),
        ([listener(hostname="*.example.org")], PLAIN, "takes *.example.org, not dev.example.com"),
        ([listener("http")], HTTPS, "has no listener 'https', but http"),
        ([listener(from_="Same")], PLAIN, "routes of its own namespace alone"),
    ],
)
def test_what_is_wrong_with_a_listener_is_told(listeners, gateway, said):
    assert said in seen(*listeners, gateway=gateway)


def test_what_is_wrong_with_the_gateway_comes_first():
    waiting = {
        "type": "Programmed",
        "status": "False",
        "reason": "Pending",
        "message": "no address",
    }
    said = seen(listener(ready=False), conditions=[waiting])
    assert said == "the Gateway gateways/gw is not ready: Programmed is false, Pending: no address"
    assert route_status.diagnosis(None, PLAIN, "x", "apps") == (
        "the Gateway gateways/gw does not exist"
    )
