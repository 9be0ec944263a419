"""A Connection that nobody has added: each hook says what to add, and no retry is tried."""

import pytest
from manifest_engine.domain.errors import ConfigurationError
from manifest_engine.hooks.acr import AcrHook
from manifest_engine.hooks.artifactory import ArtifactoryHook
from manifest_engine.hooks.builder import BuilderHook
from manifest_engine.hooks.cluster import ClusterHook


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
