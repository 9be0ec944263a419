"""What an API server's error response means, and whether a retry can help."""

import json

import pytest
from manifest_engine.domain.workload.refusals import Attempt, explain, remedy

ATTEMPT = Attempt("patch", "deployments.apps", "apps", "pricing-quotes")


def status(message, *, reason="", **details):
    return json.dumps({"kind": "Status", "message": message, "reason": reason, "details": details})


def conflict(*owners):
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{manager}" using apps/v1',
            "field": field,
        }
        for manager, field in owners
    ]
    return status("Apply failed", reason="Conflict", causes=causes)


def test_a_conflict_names_each_manager_with_its_fields():
    body = conflict(("kubectl", ".spec.replicas"), ("kubectl", ".spec.x"), ("argo", ".spec.y"))
    found = explain(409, body, ATTEMPT)
    assert "'kubectl' owns .spec.replicas, .spec.x; 'argo' owns .spec.y" in found.sentence
    assert found.retryable


def test_a_missing_permission_names_verb_resource_and_role():
    message = 'User "u" cannot patch resource "deployments" in API group "apps" in the namespace'
    found = explain(403, status(message, reason="Forbidden"), ATTEMPT)
    assert "may not patch deployments.apps in namespace 'apps'" in found.sentence
    assert "verb 'patch' on 'deployments.apps'" in found.sentence


def test_an_exceeded_quota_is_retryable_and_no_missing_permission():
    found = explain(403, status("exceeded quota: small, requested: cpu=2"), ATTEMPT)
    assert "quota" in found.sentence
    assert found.retryable


def test_an_apply_without_the_create_verb_names_create():
    message = 'User "u" cannot create resource "pods" in API group "" in the namespace "apps"'
    found = explain(403, status(message, reason="Forbidden"), ATTEMPT)
    assert "may not create pods in namespace 'apps'" in found.sentence
    assert "verb 'create' on 'pods'" in found.sentence


@pytest.mark.parametrize("code", [403, 422])
@pytest.mark.parametrize(
    "message",
    [
        "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
        'admission webhook "policies.example.com" denied the request: no',
    ],
)
def test_an_admission_policy_is_named_with_advice(code, message):
    found = explain(code, status(message), ATTEMPT)
    assert (found.reason, found.retryable) == ("Admission", False)
    assert "whoever keeps the policy" in found.sentence


def test_a_missing_namespace_is_named():
    body = status('namespaces "apps" not found', reason="NotFound", kind="namespaces", name="apps")
    assert "namespace 'apps' does not exist" in explain(404, body, ATTEMPT).sentence


def test_an_unknown_kind_is_named():
    found = explain(404, "404 page not found\n", ATTEMPT)
    assert found.reason == "NoSuchKind"


def test_an_immutable_field_advises_to_remove_the_object():
    found = explain(422, status("spec.selector: Invalid value: field is immutable"), ATTEMPT)
    assert found.reason == "Immutable"
    assert "Remove the object" in found.sentence


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_an_unavailable_api_server_is_retryable(code):
    assert explain(code, "", ATTEMPT).retryable


def test_a_private_cluster_is_named_where_it_cannot_be_reached():
    from manifest_engine.domain.workload.refusals import unreachable_advice

    private = "https://team-1234.guid.privatelink.westeurope.azmk8s.io:443"
    assert "the cluster is private" in unreachable_advice(private)
    assert "private_fqdn or proxy_url" in unreachable_advice(private)
    assert "private" not in unreachable_advice("https://team-1234.hcp.westeurope.azmk8s.io:443")


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true '
            '(pod or container "app" must set securityContext.runAsNonRoot=true)',
            "numeric USER",
        ),
        (
            'pods "p" is forbidden: minimum cpu usage per Container is 100m, but request is 50m',
            "LimitRange",
        ),
        (
            'pods "p" is forbidden: cpu max limit to request ratio per Container is 2, but '
            "provided ratio is 20.000000",
            "LimitRange",
        ),
        (
            'pods "p" is forbidden: error looking up service account apps/robot: serviceaccount '
            '"robot" not found',
            "cluster.serviceAccount",
        ),
        ("admission webhook denied the request: no", "whoever keeps the policy"),
    ],
)
def test_each_refusal_of_a_pod_has_a_remedy_that_exists(message, advice):
    assert advice in remedy(message)
