"""A manifest may name its own Secrets and repositories, and those that the environment lists."""

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
def test_secrets_named_after_the_service_are_allowed(name):
    require(f"{name}/password")


@pytest.mark.parametrize("name", ["pricing-quotesdb", "pricing-quotes.db", "pricing", "other-db"])
def test_any_other_secret_is_refused_with_both_rules(name):
    with pytest.raises(NotAllowed) as refused:
        require(f"{name}/password")
    assert str(refused.value) == (
        f"secretEnv.DB names the Secret {name!r}. In 'dev' the service pricing-quotes may use "
        "Secrets whose name is 'pricing-quotes' or begins with 'pricing-quotes-'. Rename the "
        "Secret, or have it added to cluster.allowedSecrets in environments.yaml."
    )
    assert not refused.value.retryable


def test_a_listed_secret_is_allowed():
    require("kafka-client-a/password", allowedSecrets=["smtp", "kafka-client-*"])
    with pytest.raises(
        NotAllowed, match=r"those in cluster\.allowedSecrets: smtp, kafka-client-\*"
    ):
        require("kafka/password", allowedSecrets=["smtp", "kafka-client-*"])


@pytest.mark.parametrize("name", ["registry", "pricing-quotes-pull"])
def test_the_environments_pull_secrets_are_refused_whatever_their_name(name):
    with pytest.raises(NotAllowed, match="pulls images"):
        require(f"{name}/auths", imagePullSecrets=[name], allowedSecrets=["*"])


@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg", "token"])
def test_the_keys_of_pull_secrets_and_serviceaccount_tokens_are_refused_in_any_secret(key):
    with pytest.raises(NotAllowed, match="which no service may read; store other values under"):
        require(f"pricing-quotes/{key}", allowedSecrets=["*"])


@pytest.mark.parametrize(
    "name", ["pricing-quotes-token-x7k2p", "pricing-quotes-dockercfg-bcd45", "bootstrap-token-abc"]
)
def test_generated_names_of_token_secrets_are_refused(name):
    with pytest.raises(NotAllowed, match="its own tokens and logins"):
        require(f"{name}/value", allowedSecrets=["*"])


def test_a_name_that_only_resembles_a_generated_name_is_allowed():
    require("pricing-quotes-token-store/value")
    require("pricing-quotes-token-aeiou/value")


def owners(secret, **cluster):
    made = make_release(cluster=cluster, secretEnv={"DB": f"{secret}/password"})
    return made, reach.other_owners(made.manifest, made.environment)


def test_a_secret_can_belong_to_a_service_with_a_longer_name():
    made, found = owners("pricing-quotes-eu-db")
    assert found.keys() == {"pricing-quotes-eu", "pricing-quotes-eu-db"}
    reach.refuse_other_owners(made.manifest, made.environment, {"pricing-quotes", "pricing"})
    with pytest.raises(NotAllowed, match="belongs to the service pricing-quotes-eu: "):
        reach.refuse_other_owners(made.manifest, made.environment, {"pricing-quotes-eu"})


@pytest.mark.parametrize("secret", ["pricing-quotes", "pricing-quotes.db"])
def test_a_secret_with_the_services_own_name_has_no_other_owner(secret):
    assert owners(secret)[1] == {}


def test_a_listed_secret_has_no_other_owner():
    assert owners("pricing-quotes-eu", allowedSecrets=["pricing-*"])[1] == {}


def test_an_invalid_service_name_is_not_an_owner():
    assert owners("pricing-quotes-a.b")[1] == {}
    assert all(len(name) <= 63 for name in owners(f"pricing-quotes-{'x' * 40}-{'y' * 40}")[1])


@pytest.mark.parametrize("path", ["datafactory/a/b.zip", "archive/old/b.zip"])
def test_an_artifact_in_an_allowed_repository_is_allowed(path):
    require(artifact=path, repositories=("archive",))


@pytest.mark.parametrize(
    "path", ["other/a.zip", "datafactory-other/a.zip", "Datafactory/a.zip", "archive/a.zip"]
)
def test_an_artifact_in_another_repository_is_refused(path):
    with pytest.raises(NotAllowed) as refused:
        require(artifact=path)
    assert str(refused.value) == (
        f"The artifact {path!r} is not in a repository that 'dev' allows: datafactory "
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
def test_an_ambiguous_artifact_path_is_refused(path):
    asked = {"component": "a", "serviceName": "b", "version": "1", "environment": "dev"}
    with pytest.raises(ManifestError, match="artifact"):
        manifest.parse(asked | {"artifact": path})


def grant(*, pods=None, cluster=None, **fields):
    made = make_release(cluster=cluster, pods=pods, **fields)
    reach.require_allowed(made.manifest, made.environment)


SOURCES = [
    ("secret", "Secret", "Secrets", "allowedSecrets"),
    ("configMap", "ConfigMap", "ConfigMaps", "allowedConfigMaps"),
    (
        "secretProviderClass",
        "SecretProviderClass",
        "SecretProviderClasses",
        "allowedSecretProviderClasses",
    ),
]


def volume(source, name, key="password"):
    return {"/x": {source: name} | ({"keys": [key]} if source == "secret" else {})}


@pytest.mark.parametrize(("source", "kind", "many", "listed"), SOURCES)
def test_volumes_follow_the_rule_of_secret_env(source, kind, many, listed):
    grant(volumes=volume(source, "pricing-quotes-x"))
    grant(volumes=volume(source, "shared"), cluster={listed: ["sha*"]})
    with pytest.raises(NotAllowed) as refused:
        grant(volumes=volume(source, "shared"))
    assert str(refused.value) == (
        f"volumes./x names the {kind} 'shared'. In 'dev' the service pricing-quotes may use {many} "
        "whose name is 'pricing-quotes' or begins with 'pricing-quotes-'. Rename the "
        f"{kind}, or have it added to cluster.{listed} in environments.yaml."
    )


@pytest.mark.parametrize(("source", "kind", "many", "listed"), SOURCES)
def test_a_volume_of_a_service_with_a_longer_name_is_refused(source, kind, many, listed):
    made = make_release(volumes=volume(source, "pricing-quotes-eu-x"))
    with pytest.raises(NotAllowed, match=f"{kind} 'pricing-quotes-eu-x', which belongs to the"):
        reach.refuse_other_owners(made.manifest, made.environment, {"pricing-quotes-eu"})


@pytest.mark.parametrize(
    ("name", "key"),
    [("pricing-quotes", "token"), ("pull", "x"), ("pricing-quotes-token-x7k2p", "a")],
)
def test_a_volume_never_has_tokens_or_pull_secrets(name, key):
    with pytest.raises(NotAllowed, match="no service may read"):
        grant(
            volumes=volume("secret", name, key),
            cluster={"allowedSecrets": ["*"], "imagePullSecrets": ["pull"]},
        )


def test_a_service_account_is_one_that_the_environment_allows():
    grant(serviceAccount="quotes", cluster={"allowedServiceAccounts": ["quo*"]})
    grant(serviceAccount="apps", cluster={"serviceAccount": "apps"})
    with pytest.raises(NotAllowed, match=r"serviceAccount is 'admin'; 'dev' allows quotes"):
        grant(serviceAccount="admin", cluster={"allowedServiceAccounts": ["quotes"]})
    with pytest.raises(NotAllowed, match="'dev' allows none"):
        grant(serviceAccount="pricing-quotes")


def test_labels_are_those_that_the_environment_allows():
    grant(labels={"team": "a"}, cluster={"allowedLabels": ["team"]})
    with pytest.raises(NotAllowed, match=r"labels has 'app'; 'dev' allows team "):
        grant(labels={"app": "payments"}, cluster={"allowedLabels": ["team"]})


def test_capabilities_and_root_are_bounded_by_the_environment():
    grant(security={"capabilities": ["CHOWN"]}, pods={"allowedCapabilities": ["CHOWN"]})
    grant(security={"runAsRoot": True})
    with pytest.raises(NotAllowed, match="'dev' allows CHOWN"):
        grant(security={"capabilities": ["SYS_ADMIN"]}, pods={"allowedCapabilities": ["CHOWN"]})
    with pytest.raises(NotAllowed, match="runs no container as root"):
        grant(security={"runAsRoot": True}, pods={"allowRoot": False})


def on_platform(platform, *, allowed=(), cluster=None):
    made = make_release(platform=platform, cluster=cluster)
    build = made.environment.build.model_copy(update={"platforms": allowed})
    reach.require_allowed(made.manifest, made.environment.model_copy(update={"build": build}))


def test_a_platform_must_be_one_of_the_nodes():
    on_platform("linux/arm64")
    on_platform("linux/arm64", allowed=("linux/amd64", "linux/arm64"))
    on_platform(None, allowed=("linux/amd64",))
    with pytest.raises(NotAllowed) as refused:
        on_platform("linux/arm64", allowed=("linux/amd64",))
    assert str(refused.value) == (
        "platform is linux/arm64, but 'dev' allows only linux/amd64 (build.platforms in "
        "environments.yaml): choose an allowed platform, or have the platform added."
    )


def test_a_platform_must_fit_the_node_selector():
    arm = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    on_platform("linux/arm64", cluster=arm)
    with pytest.raises(NotAllowed, match=r"run only on nodes with kubernetes\.io/arch: arm64"):
        on_platform("linux/amd64", cluster=arm)
