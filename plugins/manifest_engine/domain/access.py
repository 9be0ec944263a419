"""Who may do what in an environment: the block ``access``, and Airflow's own record of who asked.

The names are those that Airflow has recorded on the run. The run conf says nothing here: whoever
triggers a run writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from manifest_engine.domain.errors import ConfigurationError
from manifest_engine.domain.model import Model
from manifest_engine.domain.patterns import ANY, Pattern

if TYPE_CHECKING:
    from manifest_engine.domain.environment import Environment

ROLE = "role:"
"""Prefix of an entry that names a role of the auth manager."""
_NOT_KNOWN = ("group:", "team:")
_USER_MAX = 512
"""Characters of a user's name in Airflow's database (``dag_run.triggering_user_name``)."""

Roles = Mapping[str, frozenset[str]]
"""The users of each role, as far as a worker can know them."""


def _entry(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable() or text == ROLE:
        raise ValueError(f"{text!r} is neither the name of an Airflow user nor {ROLE}NAME")
    if text.startswith(_NOT_KNOWN):
        raise ValueError(
            f"{text!r} cannot be judged: Airflow tells a task no groups and teams of a user; "
            f"name users, or {ROLE}NAME with the simple auth manager"
        )
    if len(text) > _USER_MAX:
        raise ValueError(f"{text[:20]!r}… is longer than {_USER_MAX} characters")
    return text


Users = Annotated[tuple[Annotated[str, AfterValidator(_entry)], ...], Field(min_length=1)]
"""Names of Airflow users, and ``role:NAME``."""


class Access(Model):
    """Who may do what; what is left out is open to whoever may trigger the DAG."""

    deploy: Users | None = None
    approve: Users | None = None
    remove: Users | None = None
    components: Annotated[tuple[Pattern, ...], Field(min_length=1)] = (ANY,)


def may(who: str | None, entries: Iterable[str] | None, roles: Roles | None) -> bool:
    """Whether the list covers a user; no list covers everybody.

    :param who: name of an Airflow user; None is nobody, whom no list covers.
    :raises ConfigurationError: as :func:`users`.
    """
    return entries is None or who in users(entries, roles)


def users(entries: Iterable[str], roles: Roles | None) -> tuple[str, ...]:
    """The users of a list, each once, with those of its roles.

    :param roles: None where the auth manager does not tell a worker who has which role.
    :raises ConfigurationError: when an entry names a role then. A list that cannot be judged lets
        nobody pass, not even the users that it names.
    """
    found: dict[str, None] = {}
    for entry in entries:
        if not entry.startswith(ROLE):
            found[entry] = None
        elif roles is None:
            raise ConfigurationError(
                f"environments.yaml names {entry!r}, and this Airflow does not tell a task who has "
                "which role: only the simple auth manager does ([core] auth_manager and "
                "simple_auth_manager_users, the same on API server and workers). Name users."
            )
        else:
            found |= dict.fromkeys(sorted(roles.get(entry.removeprefix(ROLE), ())))
    return tuple(found)


def approvers(environment: Environment, roles: Roles | None) -> tuple[str, ...]:
    """The ids of the users who may answer an approval; empty for anyone who may answer there.

    :raises ConfigurationError: as :func:`users`, and when no user has any of the roles.
    """
    entries = environment.approvers
    found = users(entries, roles)
    if entries and not found:
        raise ConfigurationError(
            f"Nobody can answer the approval: no Airflow user has any of the roles "
            f"{', '.join(entries)} that environments.yaml lists in access.approve."
        )
    return found
