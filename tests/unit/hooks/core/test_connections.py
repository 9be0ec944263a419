"""Errors for a Connection that does not exist or has another type."""

import json

import pytest
from kubernetes.client import Configuration
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
from manifest_engine.hooks.builder.hook import BuilderHook
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.registry.acr import AcrHook


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda: AcrHook("not_there").login_server, "acr"),
        (lambda: AcrHook("not_there").docker_login(), "acr"),
        (lambda: ClusterHook("not_there").get("v1", "Service", "a", "b"), "kubernetes or aks"),
        (lambda: BuilderHook("not_there").ping(), "docker"),
        (lambda: ArtifactoryHook("not_there").file_info("a/b.zip"), "artifactory"),
    ],
)
def test_a_connection_that_does_not_exist_says_what_to_add(ask, kind):
    with pytest.raises(ConfigurationError) as raised:
        ask()
    said = f"names the Airflow Connection 'not_there', which does not exist; add it (type {kind})"
    assert said in str(raised.value)
    assert not raised.value.retryable


@pytest.mark.parametrize(
    ("conn_id", "given", "found"),
    [
        # Stored by "airflow connections add --conn-type aks" without the plugins on PYTHONPATH.
        ("aks_default", {"conn_type": "generic", "login": "me"}, "is of type 'generic'"),
        ("elsewhere", {"conn_type": "http", "host": "cluster"}, "is of type 'http'"),
        ("typeless", {"extra": {"in_cluster": True}}, "does not exist, or has no type"),
        ("kubernetes_default", None, "does not exist, or has no type"),
    ],
)
def test_a_connection_of_another_type_is_refused(monkeypatch, conn_id, given, found):
    if given:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(given))
    with pytest.raises(ConfigurationError) as raised:
        ClusterHook(conn_id).get("v1", "Service", "a", "b")
    said = str(raised.value)
    assert said.startswith(f"The Connection {conn_id!r} {found}: ")
    assert "with type kubernetes or aks. " in said
    assert "PYTHONPATH=$AIRFLOW_HOME/plugins" in said
    assert not raised.value.retryable


@pytest.mark.parametrize("form", ["json", "uri"])
def test_a_connection_of_type_kubernetes_leads_to_its_cluster(monkeypatch, tmp_path, form):
    config = tmp_path / "config"
    config.write_text(
        json.dumps(
            {
                "current-context": "only",
                "contexts": [{"name": "only", "context": {"cluster": "one", "user": "me"}}],
                "clusters": [{"name": "one", "cluster": {"server": "https://one.invalid"}}],
                "users": [{"name": "me", "user": {"token": "hidden"}}],
            }
        )
    )
    forms = {
        "json": json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(config)}}),
        "uri": f"kubernetes://?kube_config_path={config}",
    }
    monkeypatch.setenv("AIRFLOW_CONN_ONE", forms[form])
    monkeypatch.setattr(Configuration, "_default", None)  # the provider's hook sets it
    assert ClusterHook("one").api_client.configuration.host == "https://one.invalid"
