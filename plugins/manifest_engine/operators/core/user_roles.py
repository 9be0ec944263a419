"""What a task can know of Airflow's users: with the simple auth manager the roles, else nothing.

The worker reads Airflow's settings, which name each user with their role (``[core]
simple_auth_manager_users``). FAB, Keycloak and the others keep roles where the API server alone
asks for them; the Execution API, by which a task speaks to Airflow, does not tell them.
"""

from __future__ import annotations

from airflow.sdk.configuration import conf

from manifest_engine.domain.environment.access import Roles

_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


def known() -> Roles | None:
    """The users of each role; None where a task cannot know, or where everybody is the admin."""
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
