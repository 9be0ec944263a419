"""A task knows the roles in the settings of the simple auth manager only."""

import pytest
from manifest_engine.services.environment import user_roles


@pytest.fixture
def settings(monkeypatch):
    def change(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"AIRFLOW__CORE__{name.upper()}", value)

    return change


def test_roles_come_from_the_settings_of_the_simple_auth_manager(settings):
    settings(simple_auth_manager_users="ada:op, ken:op,bob:viewer")
    assert user_roles.known() == {"op": {"ada", "ken"}, "viewer": {"bob"}}


def test_teams_after_a_role_are_ignored(settings):
    settings(simple_auth_manager_users="ada:op:marketing|hr")
    assert user_roles.known() == {"op": {"ada"}}


def test_roles_of_another_auth_manager_are_unknown(settings):
    settings(auth_manager="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager")
    assert user_roles.known() is None


def test_roles_are_unknown_when_all_users_are_admins(settings):
    settings(simple_auth_manager_all_admins="True")
    assert user_roles.known() is None
