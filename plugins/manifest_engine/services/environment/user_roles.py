"""Reads the roles of Airflow's users, which a task knows with the simple auth manager alone.

Airflow's settings contain each user with a role (``[core] simple_auth_manager_users``). With FAB,
Keycloak and other auth managers, only the API server can read roles: the Execution API, through
which a task talks to Airflow, does not return roles.
"""

from __future__ import annotations

from airflow.sdk.configuration import conf

from manifest_engine.domain.environment.access import Roles

_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


def known() -> Roles | None:
    """The users by role; None when roles are unknown, or when all users are admins."""
    if conf.get("core", "auth_manager") != _SIMPLE:
        return None
    if conf.getboolean("core", "simple_auth_manager_all_admins"):
        return None
    found: dict[str, set[str]] = {}
    for item in conf.get("core", "simple_auth_manager_users").split(","):
        name, _, rest = item.strip().partition(":")
        if role := rest.partition(":")[0]:
            found.setdefault(role, set()).add(name)
    return {role: frozenset(users) for role, users in found.items()}
