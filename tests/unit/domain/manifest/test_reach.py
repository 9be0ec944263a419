"""What a manifest may reach: its own Secrets and repositories, and what the environment lists."""

import pytest
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.manifest import manifest, reach

from tests.unit.domain.release.releases import make_release


def require(secret=None, *, artifact=None, repositories=(), **cluster):
    fields = {"artifact": artifact}
    if secret:
        fields["secretEnv"] = {"DB": secret}
    made = make_release(cluster=cluster, **fields)
    places = made.environment.artifactory.model_copy(update={"allowed_repositories": repositories})
    reach.require_allowed(
        made.manifest, made.environment.model_copy(update={"artifactory": places})
    )


@pytest.mark.parametrize("name", ["pricing-quotes", "pricing-quotes-db", "pricing-quotes-db.v2"])
def test_a_service_has_the_secrets_that_are_named_after_it(name):
    require(f"{name}/password")


@pytest.mark.parametrize("name", ["pricing-quotesdb", "pricing-quotes.db", "pricing", "other-db"])
def test_another_secret_is_refused_naming_both_rules(name):
    with pytest.raises(NotAllowed) as refused:
        require(f"{name}/password")
    assert str(refused.value) == (
        f"secretEnv.DB names the Secret {name!r}. In 'dev' the service pricing-quotes may have "
        "those named 'pricing-quotes', or 'pricing-quotes-' and more. Rename the Secret, or have "
        "it added to cluster.allowedSecrets in environments.yaml."
    )
    assert not refused.value.retryable


def test_a_secret_that_the_environment_lists_is_allowed():
    require("kafka-client-a/password", allowedSecrets=["smtp", "kafka-client-*"])
    with pytest.raises(NotAllowed, match=r"cluster\.allowedSecrets lists: smtp, kafka-client-\*"):
        require("kafka/password", allowedSecrets=["smtp", "kafka-client-*"])


@pytest.mark.parametrize("name", ["registry", "pricing-quotes-pull"])
def test_the_environments_pull_secrets_are_refused_whatever_their_name(name):
    with pytest.raises(NotAllowed, match="pulls images"):
        require(f"{name}/auths", imagePullSecrets=[name], allowedSecrets=["*"])


@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg", "token"])
def test_the_keys_of_pull_secrets_and_serviceaccount_tokens_are_refused_in_any_secret(key):
    with pytest.raises(NotAllowed, match="which no service gets; keep another value under another"):
        require(f"pricing-quotes/{key}", allowedSecrets=["*"])


@pytest.mark.parametrize(
    "name", ["pricing-quotes-token-x7k2p", "pricing-quotes-dockercfg-bcd45", "bootstrap-token-abc"]
)
def test_names_that_kubernetes_makes_for_tokens_are_refused(name):
    with pytest.raises(NotAllowed, match="tokens and logins of its own"):
        require(f"{name}/value", allowedSecrets=["*"])


def test_a_name_that_only_looks_like_a_generated_one_is_allowed():
    require("pricing-quotes-token-store/value")
    require("pricing-quotes-token-aeiou/value")


def owners(secret, **cluster):
    made = make_release(cluster=cluster, secretEnv={"DB": f"{secret}/password"})
    return made, reach.other_owners(made.manifest, made.environment)


def test_a_secret_may_be_that_of_a_service_with_a_longer_name():
    made, found = owners("pricing-quotes-eu-db")
    assert found.keys() == {"pricing-quotes-eu", "pricing-quotes-eu-db"}
    reach.refuse_other_owners(made.manifest, made.environment, {"pricing-quotes", "pricing"})
    with pytest.raises(NotAllowed, match="belongs to the service pricing-quotes-eu: "):
        reach.refuse_other_owners(made.manifest, made.environment, {"pricing-quotes-eu"})


@pytest.mark.parametrize("secret", ["pricing-quotes", "pricing-quotes.db"])
def test_the_secret_of_the_services_own_name_is_no_other_ones(secret):
    assert owners(secret)[1] == {}


def test_of_a_listed_secret_nobody_else_is_asked():
    assert owners("pricing-quotes-eu", allowedSecrets=["pricing-*"])[1] == {}


def test_a_name_that_no_service_can_have_is_no_owner():
    assert owners("pricing-quotes-a.b")[1] == {}
    assert all(len(name) <= 63 for name in owners(f"pricing-quotes-{'x' * 40}-{'y' * 40}")[1])


@pytest.mark.parametrize("path", ["datafactory/a/b.zip", "archive/old/b.zip"])
def test_an_artifact_lies_where_the_environment_takes_artifacts_from(path):
    require(artifact=path, repositories=("archive",))


@pytest.mark.parametrize(
    "path", ["other/a.zip", "datafactory-other/a.zip", "Datafactory/a.zip", "archive/a.zip"]
)
def test_an_artifact_elsewhere_is_refused_naming_the_rule(path):
    with pytest.raises(NotAllowed) as refused:
        require(artifact=path)
    assert str(refused.value) == (
        f"The artifact {path!r} does not lie where 'dev' takes artifacts from: datafactory "
        "(artifactory.repository and allowedRepositories in environments.yaml). Upload or copy it "
        "there, or have its repository added."
    )


@pytest.mark.parametrize(
    "path",
    [
        "datafactory/../other/a.zip",
        "datafactory/%2e%2e/other/a.zip",
        "datafactory/%2e%2e%2fother/a.zip",
        "datafactory/..;x=1/other/a.zip",
        "datafactory;x=1/a.zip",
        "datafactory/a?x=.zip",
        "datafactory/a#.zip",
        "datafactory\\..\\other/a.zip",
        "datafactory:8081/a.zip",
        "datafactory/.. /other/a.zip",
        "datafactory/.../a.zip",
        "datafactory/ /a.zip",
        "/datafactory/a.zip",
        "datafactory//a.zip",
        "datafactory/a\n/b.zip",
        "datafactory/*.zip",
    ],
)
def test_a_path_that_a_server_may_read_otherwise_is_no_artifact(path):
    asked = {"component": "a", "serviceName": "b", "version": "1", "environment": "dev"}
    with pytest.raises(ManifestError, match="artifact"):
        manifest.parse(asked | {"artifact": path})
