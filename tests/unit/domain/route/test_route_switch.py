"""A service's address changes: the former route answers until the new route does."""

from __future__ import annotations

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.route import routes
from manifest_engine.domain.route import switch as route_switch

from tests.unit.domain.release.releases import GATEWAY, make_release

OLD = {"name": "old", "namespace": "gateways"}
NEW = {"name": "new", "namespace": "gateways"}


def http_route(gateway, host=None):
    return routes.route(make_release(routing=GATEWAY | {"gateway": gateway, "host": host}))


def ingress(class_name, host=None):
    block = {"className": class_name}
    made = {"api": "ingress", "url": "https://x", "host": host, "ingress": block}
    return routes.route(make_release(routing=made))


def gateways(route):
    return [reference["name"] for reference in route["spec"]["parentRefs"]]


def test_both_gateways_and_hosts_are_kept():
    live, desired = http_route(OLD, "a.example"), http_route(NEW, "b.example")
    made = route_switch.keep_both(live, desired)
    assert gateways(made) == ["new", "old"]
    assert made["spec"]["hostnames"] == ["b.example", "a.example"]
    assert made["spec"]["rules"] == desired["spec"]["rules"]


def test_hostnames_are_dropped_if_one_route_serves_every_host():
    for live, desired in (
        (http_route(OLD), http_route(NEW, "b.example")),
        (http_route(OLD, "a.example"), http_route(NEW)),
    ):
        assert "hostnames" not in route_switch.keep_both(live, desired)["spec"]


def test_a_second_switch_during_the_first_keeps_every_parent():
    unfinished = route_switch.keep_both(http_route(OLD), http_route(NEW))
    third = http_route(NEW | {"name": "third"})
    assert gateways(route_switch.keep_both(unfinished, third)) == ["third", "new", "old"]


def test_a_gateway_is_not_named_with_and_without_a_listener():
    whole, https = http_route(OLD), http_route(OLD | {"section": "https"})
    assert route_switch.keep_both(whole, https)["spec"]["parentRefs"] == https["spec"]["parentRefs"]
    assert route_switch.keep_both(https, whole)["spec"]["parentRefs"] == whole["spec"]["parentRefs"]
    http = http_route(OLD | {"section": "http"})
    assert len(route_switch.keep_both(http, https)["spec"]["parentRefs"]) == 2


def test_the_former_routes_are_the_live_ones():
    live, other = http_route(OLD), ingress("nginx")
    assert route_switch.former_routes(None, None) == []
    kinds = [route["kind"] for route in route_switch.former_routes(live, other)]
    assert kinds == ["HTTPRoute", "Ingress"]
    (kept,) = route_switch.former_routes({**live, "status": {"parents": []}}, None)
    assert kept["spec"] == live["spec"]
    assert "status" not in kept


def test_the_former_routes_of_a_killed_try_are_read_from_its_annotation():
    recorded = {annotation.FORMER_ROUTES: annotation.pack([http_route(OLD)])}
    assert route_switch.former_routes(route_switch.annotated(http_route(NEW), recorded), None) == [
        http_route(OLD)
    ]
    first = route_switch.annotated(http_route(NEW), {annotation.FORMER_ROUTES: annotation.pack([])})
    assert route_switch.former_routes(first, None) == []


def test_an_ingress_of_the_same_class_keeps_its_former_host():
    made = route_switch.keep_both(ingress("nginx", "a.example"), ingress("nginx", "b.example"))
    assert [rule["host"] for rule in made["spec"]["rules"]] == ["b.example", "a.example"]
    live, desired = ingress("nginx"), ingress("traefik")
    assert route_switch.keep_both(live, desired) == desired


def test_annotations_of_the_switch_are_added_to_a_copy_and_not_restored():
    desired = http_route(NEW)
    made = route_switch.annotated(desired, {annotation.REPLACES: "Ingress"})
    assert made["metadata"]["annotations"] == {annotation.REPLACES: "Ingress"}
    assert "annotations" not in desired["metadata"]
    assert "annotations" not in route_switch.as_applied(made)["metadata"]
