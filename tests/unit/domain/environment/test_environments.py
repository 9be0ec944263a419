"""environments.yaml is checked strictly."""

from pathlib import Path

import pytest
import yaml
from manifest_engine.domain.core.errors import ConfigurationError, ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.pods import Pods

SHIPPED = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())


@pytest.fixture
def changed(tmp_path):
    """Writes the shipped file with one change and loads it."""

    def load(change):
        content = yaml.safe_load(yaml.safe_dump(SHIPPED))
        change(content["environments"]["dev"])
        path = tmp_path / "environments.yaml"
        path.write_text(yaml.safe_dump(content))
        return environments.load(path)

    return load


def test_the_shipped_file_is_valid():
    assert environments.load(environments.INCLUDE / "environments.yaml")["dev"].builders


def test_an_unknown_key_is_refused_with_its_path(changed):
    with pytest.raises(ConfigurationError, match=r"environments\.dev\.cluster\.nameSpace"):
        changed(lambda dev: dev["cluster"].update(nameSpace="x"))


def test_the_block_of_the_routing_api_is_required(changed):
    with pytest.raises(ConfigurationError, match="the block 'ingress' must be given"):
        changed(lambda dev: dev["routing"].update(api="ingress"))


def test_at_least_one_builder_is_required(changed):
    with pytest.raises(ConfigurationError, match="builders"):
        changed(lambda dev: dev.update(builders=[]))


def test_the_error_about_a_missing_file_names_the_variable():
    with pytest.raises(ConfigurationError, match="MANIFEST_ENGINE_ENVIRONMENTS"):
        environments.load(Path("/nowhere/environments.yaml"))


def test_invalid_yaml_is_reported(tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text("a: [")
    with pytest.raises(ConfigurationError, match="not valid YAML"):
        environments.load(path)


def test_an_edited_file_is_read_again(tmp_path, changed):
    assert changed(lambda dev: None)["dev"].description == "Development"
    assert changed(lambda dev: dev.update(description="New"))["dev"].description == "New"


def test_an_unknown_environment_gets_a_suggestion(changed):
    configured = changed(lambda dev: None)
    with pytest.raises(ManifestError, match=r"did you mean 'dev'\? configured: dev"):
        environments.find("dve", configured)


def test_approval_true_means_everybody_for_a_day(changed):
    found = changed(lambda dev: dev.update(approval=True))["dev"].approval
    assert (found.approvers, found.timeout_minutes) == ((), 24 * 60)
    assert changed(lambda dev: dev.update(approval=False))["dev"].approval is None


def test_an_invalid_approval_is_refused(changed):
    with pytest.raises(ConfigurationError, match=r"approval\.timeoutMinutes"):
        changed(lambda dev: dev.update(approval={"timeoutMinutes": 0}))
    with pytest.raises(ConfigurationError, match=r"approval\.who"):
        changed(lambda dev: dev.update(approval={"who": ["ada"]}))


def test_a_run_may_last_as_long_as_the_longest_approval(changed):
    assert environments.longest_approval(changed(lambda dev: None)).total_seconds() == 0
    guarded = changed(lambda dev: dev.update(approval={"timeoutMinutes": 5}))
    assert environments.longest_approval(guarded).total_seconds() == 300


@pytest.fixture
def two(tmp_path):
    """Loads a file with a second environment that differs in its block ``cluster``."""

    def load(**cluster):
        content = yaml.safe_load(yaml.safe_dump(SHIPPED))
        prod = yaml.safe_load(yaml.safe_dump(content["environments"]["dev"]))
        prod["cluster"] |= cluster
        content["environments"]["prod"] = prod
        path = tmp_path / "two.yaml"
        path.write_text(yaml.safe_dump(content))
        return environments.load(path)

    return load


def test_two_environments_in_one_namespace_are_refused(two):
    message = r"'dev' and 'prod' have the same cluster\.connection 'kubernetes_default'"
    with pytest.raises(ConfigurationError, match=message):
        two()


def test_another_namespace_or_connection_is_allowed(two):
    assert two(namespace="other").keys() == {"dev", "prod"}
    assert two(connection="aks_default").keys() == {"dev", "prod"}


@pytest.mark.parametrize(("block", "key"), [("build", "proxy"), ("packageIndex", "publicUrl")])
def test_a_login_in_a_url_is_refused_and_not_repeated(changed, block, key):
    url = "http://robot:hunter2@proxy.example.com:3128"
    with pytest.raises(ConfigurationError, match=key) as raised:
        changed(lambda dev: dev.setdefault(block, {}).update({key: url}))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ({"labels": {"app.kubernetes.io/name": "x"}}, "set by Manifest Engine"),
        ({"annotations": {"manifest-engine.io/digest": "x"}}, "set by Manifest Engine"),
        ({"tolerations": [{"value": "x"}]}, "needs a key"),
        ({"allowedCapabilities": ["ALL"]}, "not one Linux capability"),
        ({"env": {"1A": "x"}}, "not a valid name of an environment variable"),
        ({"resources": {"requests": {"cpu": "2"}}}, "requests.cpu 2 is more than limits.cpu 1"),
    ],
)
def test_settings_of_pods_are_checked(changed, pods, said):
    with pytest.raises(ConfigurationError, match="pods") as raised:
        changed(lambda dev: dev.update(pods=pods))
    assert said in str(raised.value)


def test_the_commented_block_pods_is_valid():
    lines = (environments.INCLUDE / "environments.yaml").read_text().splitlines()
    begin = lines.index("    # pods:")
    end = lines.index("    routing:", begin)
    block = yaml.safe_load("\n".join(line.replace("    # ", "", 1) for line in lines[begin:end]))
    assert Pods.model_validate(block["pods"], strict=False).model_fields_set == set(
        Pods.model_fields
    )
