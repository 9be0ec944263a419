"""Which rights an environment needs, as questions to the API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from manifest_engine.domain.doctor import rights
from manifest_engine.domain.environment.environment import Environment

ROLES = list(yaml.safe_load_all((Path(__file__).parents[4] / "include/rbac.yaml").read_text()))
GIVEN = {
    "artifactory": {"connection": "a", "repository": "r"},
    "builders": ["b"],
    "registry": {"connection": "c"},
    "cluster": {"connection": "k", "namespace": "apps"},
    "routing": {
        "url": "https://host",
        "gateway": {"name": "public", "namespace": "gateways"},
        "ingress": {"className": "nginx"},
    },
}


def environment(api: str) -> Environment:
    return Environment.model_validate(
        GIVEN | {"routing": GIVEN["routing"] | {"api": api}}, strict=False
    )


def test_every_verb_of_the_role_is_asked_in_the_namespace():
    asked = rights.of_roles(ROLES, environment("gateway"))[rights.NAMESPACED]
    listed = sum(len(rule["verbs"]) * len(rule["resources"]) for rule in ROLES[0]["rules"])
    assert len(asked) == listed
    assert {right.namespace for right in asked} == {"apps"}


@pytest.mark.parametrize(
    ("api", "required", "optional"),
    [("gateway", "httproutes", "ingresses"), ("ingress", "ingresses", "httproutes")],
)
def test_the_other_kind_of_route_and_events_are_not_required(api, required, optional):
    asked = rights.of_roles(ROLES, environment(api))[rights.NAMESPACED]
    needed = {right.resource for right in asked if right.required}
    assert required in needed
    assert {optional, "events"} & needed == set()


def test_the_gateway_is_read_in_its_own_namespace_and_routes_in_all():
    asked = rights.of_roles(ROLES, environment("gateway"))[rights.CLUSTER_WIDE]
    assert {right.resource: right.namespace for right in asked} == {
        "httproutes": "", "gateways": "gateways", "ingresses": "",
    }  # fmt: skip


def test_a_review_has_the_subresource_apart():
    asked = rights.of_roles(ROLES, environment("gateway"))[rights.NAMESPACED]
    log = next(right for right in asked if right.resource == "pods/log")
    assert log.review()["spec"]["resourceAttributes"] == {
        "verb": "get", "resource": "pods", "subresource": "log", "namespace": "apps",
    }  # fmt: skip


def test_the_remedy_is_a_command_with_our_name():
    asked = rights.of_roles(ROLES, environment("gateway"))[rights.NAMESPACED]
    sentence = rights.remedy(rights.NAMESPACED, asked[:2], "ada", "apps")
    assert sentence.startswith("ada may not get deployments.apps, list deployments.apps in")
    assert (
        "rolebinding manifest-engine -n apps --clusterrole=manifest-engine --user=ada" in sentence
    )
