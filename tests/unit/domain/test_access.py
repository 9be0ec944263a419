"""Who may do what: lists of users and roles, and what cannot be judged."""

import pytest
import yaml
from manifest_engine.domain import access, environments
from manifest_engine.domain.errors import ConfigurationError

ROLES = {"op": frozenset({"grace", "ken"})}


@pytest.fixture
def configured(tmp_path):
    """The shipped environment with a block ``access``, and others."""

    def load(**blocks):
        content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
        content["environments"]["dev"] |= blocks
        path = tmp_path / "environments.yaml"
        path.write_text(yaml.safe_dump(content))
        return environments.load(path)["dev"]

    return load


def test_without_a_list_everybody_may():
    assert access.may("ada", None, None)
    assert access.may(None, None, None)


def test_a_list_covers_its_users_and_the_users_of_its_roles():
    allowed = ("ada", "role:op")
    assert access.may("ada", allowed, ROLES)
    assert access.may("ken", allowed, ROLES)
    assert not access.may("bob", allowed, ROLES)


def test_a_user_that_is_called_like_an_entry_is_none_of_the_role():
    assert not access.may("role:op", ("role:op",), ROLES)


def test_no_list_covers_a_run_that_nobody_is_recorded_for():
    assert not access.may(None, ("ada",), ROLES)


def test_a_list_with_a_role_that_is_not_known_lets_nobody_pass():
    with pytest.raises(ConfigurationError, match=r"'role:op'.*only the simple auth manager"):
        access.may("ada", ("ada", "role:op"), None)


@pytest.mark.parametrize("entry", ["", " ada", "group:ops", "team:ops", "role:", "a\nb", "x" * 600])
def test_an_entry_that_is_no_user_or_role_is_refused_when_the_file_is_read(configured, entry):
    with pytest.raises(ConfigurationError, match=r"dev\.access\.deploy\.0"):
        configured(access={"deploy": [entry]})


def test_an_empty_list_is_refused(configured):
    with pytest.raises(ConfigurationError, match=r"access\.remove"):
        configured(access={"remove": []})


def test_approvers_are_those_of_access(configured):
    found = configured(access={"approve": ["ada", "role:op", "ken"]}, approval=True)
    assert access.approvers(found, ROLES) == ("ada", "grace", "ken")


def test_approvers_of_the_block_approval_are_the_same(configured):
    found = configured(approval={"approvers": ["ada", "role:op"]})
    assert access.approvers(found, ROLES) == ("ada", "grace", "ken")


def test_without_approvers_anyone_may_answer(configured):
    assert access.approvers(configured(approval=True), None) == ()


def test_a_role_that_no_user_has_does_not_let_anyone_answer(configured):
    found = configured(access={"approve": ["role:admin"]}, approval=True)
    with pytest.raises(ConfigurationError, match="Nobody can answer"):
        access.approvers(found, ROLES)


def test_approvers_that_differ_are_refused(configured):
    with pytest.raises(ConfigurationError, match="differ here; keep one"):
        configured(access={"approve": ["ada"]}, approval={"approvers": ["grace"]})


def test_approvers_without_an_approval_are_refused(configured):
    with pytest.raises(ConfigurationError, match="without the block approval nobody is asked"):
        configured(access={"approve": ["ada"]})
