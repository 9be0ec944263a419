"""Who may do what: lists of users and roles, and roles that are unknown."""

import pytest
import yaml
from manifest_engine.domain.core.errors import ConfigurationError, NotAllowed
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.environment.access import Access, Requester

ROLES = {"op": frozenset({"grace", "ken"})}


@pytest.fixture
def configured(tmp_path):
    """Loads the shipped environment with further blocks."""

    def load(**blocks):
        content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
        content["environments"]["dev"] |= blocks
        path = tmp_path / "environments.yaml"
        path.write_text(yaml.safe_dump(content))
        return environments.load(path)["dev"]

    return load


def test_without_a_list_everybody_is_allowed():
    assert access.is_allowed("ada", None, None)
    assert access.is_allowed(None, None, None)


def test_a_list_covers_its_users_and_the_users_of_its_roles():
    allowed = ("ada", "role:op")
    assert access.is_allowed("ada", allowed, ROLES)
    assert access.is_allowed("ken", allowed, ROLES)
    assert not access.is_allowed("bob", allowed, ROLES)


def test_a_user_named_like_a_role_entry_is_not_covered():
    assert not access.is_allowed("role:op", ("role:op",), ROLES)


def test_no_list_covers_a_run_without_a_user():
    assert not access.is_allowed(None, ("ada",), ROLES)


def test_a_list_with_an_unknown_role_allows_nobody():
    with pytest.raises(ConfigurationError, match=r"'role:op'.*only the simple auth manager"):
        access.is_allowed("ada", ("ada", "role:op"), None)


@pytest.mark.parametrize("entry", ["", " ada", "group:ops", "team:ops", "role:", "a\nb", "x" * 600])
def test_an_invalid_entry_is_refused_when_the_file_is_read(configured, entry):
    with pytest.raises(ConfigurationError, match=r"dev\.access\.deploy\.0"):
        configured(access={"deploy": [entry]})


def test_an_empty_list_is_refused(configured):
    with pytest.raises(ConfigurationError, match=r"access\.remove"):
        configured(access={"remove": []})


def test_approvers_come_from_access(configured):
    found = configured(access={"approve": ["ada", "role:op", "ken"]}, approval=True)
    assert access.approvers(found, ROLES) == ("ada", "grace", "ken")


def test_approvers_come_from_the_block_approval(configured):
    found = configured(approval={"approvers": ["ada", "role:op"]})
    assert access.approvers(found, ROLES) == ("ada", "grace", "ken")


def test_without_approvers_everybody_may_answer(configured):
    assert access.approvers(configured(approval=True), None) == ()


def test_a_role_without_users_is_an_error(configured):
    found = configured(access={"approve": ["role:admin"]}, approval=True)
    with pytest.raises(ConfigurationError, match="Nobody can answer"):
        access.approvers(found, ROLES)


def test_different_lists_of_approvers_are_refused(configured):
    with pytest.raises(ConfigurationError, match="differ here; keep one"):
        configured(access={"approve": ["ada"]}, approval={"approvers": ["grace"]})


def test_approvers_without_an_approval_are_refused(configured):
    with pytest.raises(ConfigurationError, match="without the block approval nobody is asked"):
        configured(access={"approve": ["ada"]})


def test_the_refusal_names_the_user_the_rule_and_the_allowed_users():
    with pytest.raises(NotAllowed) as refused:
        access.require(
            Requester("bob", "manual"), "remove", "prod", Access(remove=("ada", "role:op")), ROLES
        )
    assert str(refused.value) == (
        "bob may not remove here: access.remove of 'prod' in environments.yaml names ada, role:op. "
        "Ask one of them to start the run, or to have bob added."
    )
    assert not refused.value.retryable


def test_each_verb_has_its_own_list():
    only = Access(remove=("ada",))
    access.require(Requester("bob", "manual"), "deploy", "prod", only, None)
    access.require(Requester("ada", "manual"), "remove", "prod", only, None)


@pytest.mark.parametrize("run_type", ["manual", "scheduled", "operator_triggered"])
def test_a_run_without_a_user_is_refused_if_there_is_a_list(run_type):
    nobody = Requester(None, run_type)
    access.require(nobody, "deploy", "prod", Access(), None)
    with pytest.raises(NotAllowed, match=f"no user for this run .its type is '{run_type}'"):
        access.require(nobody, "deploy", "prod", Access(deploy=("ada",)), None)


def test_only_a_scheduled_run_without_a_user_is_on_schedule():
    assert Requester(None, "scheduled").on_schedule
    assert not Requester("scheduled", "manual").on_schedule
    assert not Requester(None, "manual").on_schedule


def test_a_component_that_is_not_listed_is_refused():
    taken = Access(components=("pricing", "quotes-*"))
    access.require_component("quotes-eu", "prod", taken)
    with pytest.raises(NotAllowed, match=r"'prod' does not take the component 'pricing-eu'"):
        access.require_component("pricing-eu", "prod", taken)
