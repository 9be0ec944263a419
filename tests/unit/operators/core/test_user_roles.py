"""The roles that a task can know are those of the simple auth manager's settings."""

import pytest
from manifest_engine.operators.core import user_roles


@pytest.fixture
def settings(monkeypatch):
    def change(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"AIRFLOW__CORE__{name.upper()}", value)

    return change


def test_the_simple_auth_manager_has_its_users_in_airflows_settings(settings):
    settings(simple_auth_manager_users="ada:op, ken:op,bob:viewer")
    assert user_roles.known() == {"op": {"ada", "ken"}, "viewer": {"bob"}}


def test_teams_behind_a_role_are_not_part_of_it(settings):
    settings(simple_auth_manager_users="ada:op:marketing|hr")
    assert user_roles.known() == {"op": {"ada"}}


def test_of_another_auth_manager_nothing_is_known(settings):
    settings(auth_manager="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager")
    assert user_roles.known() is None


def test_where_everybody_is_the_admin_no_role_means_anything(settings):
    settings(simple_auth_manager_all_admins="True")
    assert user_roles.known() is None
