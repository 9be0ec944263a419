"""Who may deploy, approve and remove in an environment: the block ``access``.

The user's name comes from Airflow's record of the run, never from the run conf, which anybody who
triggers a run can write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from manifest_engine.domain.core.errors import ConfigurationError, NotAllowed
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.patterns import ANY, Pattern, matches_any

if TYPE_CHECKING:
    from manifest_engine.domain.environment.environment import Environment

ROLE = "role:"
"""Prefix of an entry that names a role of the auth manager."""
_NOT_KNOWN = ("group:", "team:")
_USER_MAX = 512
"""Characters of a user's name in Airflow's database (``dag_run.triggering_user_name``)."""

_BY_DAG = "operator_triggered"
"""Airflow's type of a run that a task of a DAG started. An API request cannot set this type."""
_ON_SCHEDULE = ("scheduled", "asset_triggered")

Verb = Literal["deploy", "remove", "takeOver"]
_VERBS = {"deploy": "deploy", "remove": "remove", "takeOver": "overwrite changes by hand"}
Roles = Mapping[str, frozenset[str]]
"""The users of each role."""


def _entry(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable() or text == ROLE:
        raise ValueError(f"{text!r} is neither the name of an Airflow user nor {ROLE}NAME")
    if text.startswith(_NOT_KNOWN):
        raise ValueError(
            f"{text!r} cannot be checked: Airflow does not tell a task the groups and teams of a "
            f"user; name users, or {ROLE}NAME with the simple auth manager"
        )
    if len(text) > _USER_MAX:
        raise ValueError(f"{text[:20]!r}… is longer than {_USER_MAX} characters")
    return text


Users = Annotated[tuple[Annotated[str, AfterValidator(_entry)], ...], Field(min_length=1)]
"""Names of Airflow users, and ``role:NAME``."""


class Access(Model):
    """Who may do what. A list that is left out allows everybody who may trigger the DAG."""

    deploy: Users | None = None
    approve: Users | None = None
    remove: Users | None = None
    take_over: Users | None = None
    components: Annotated[tuple[Pattern, ...], Field(min_length=1)] = (ANY,)


@dataclass(frozen=True)
class Requester:
    """Who requested a run, from Airflow's record of the run."""

    name: str | None
    """The triggering user. A run that a task started inherits the user of the task's own run. None
    when no user triggered the first run, such as a scheduled run."""
    run_type: str

    @property
    def by_dag(self) -> bool:
        """Whether a task of a DAG started the run."""
        return self.run_type == _BY_DAG

    @property
    def on_schedule(self) -> bool:
        """Whether the DAG's timetable started the run."""
        return self.name is None and self.run_type in _ON_SCHEDULE


def require(
    requester: Requester, verb: Verb, where: str, access: Access, roles: Roles | None
) -> None:
    """Refuse a requester who is not on the environment's list for the verb.

    :param where: name of the environment.
    :raises NotAllowed: when the list does not cover the requester.
    :raises ConfigurationError: as :func:`users`.
    """
    lists = {"deploy": access.deploy, "remove": access.remove, "takeOver": access.take_over}
    entries = lists[verb]
    if is_allowed(requester.name, entries, roles):
        return
    rule = f"access.{verb} of {where!r} in environments.yaml names {', '.join(entries or ())}"
    if requester.name is None:
        raise NotAllowed(
            f"Airflow has recorded no user for this run (its type is {requester.run_type!r}), and "
            f"{rule}. Trigger it in the UI or over the API, as one of them."
        )
    raise NotAllowed(
        f"{requester.name} may not {_VERBS[verb]} here: {rule}. Ask one of them to start the run, "
        f"or to have {requester.name} added."
    )


def require_component(component: str, where: str, access: Access) -> None:
    """Refuse a component that the environment does not accept.

    :raises NotAllowed: naming the components that the environment accepts.
    """
    if not matches_any(access.components, component):
        raise NotAllowed(
            f"The environment {where!r} does not take the component {component!r}: "
            f"access.components in environments.yaml lists {', '.join(access.components)}. Choose "
            "another environment, or have the component added."
        )


def is_allowed(user: str | None, entries: Iterable[str] | None, roles: Roles | None) -> bool:
    """Whether the list covers a user.

    :param user: name of an Airflow user; None when the run has no user.
    :param entries: users and ``role:NAME``; None covers everybody.
    :raises ConfigurationError: as :func:`users`.
    """
    return entries is None or user in users(entries, roles)


def users(entries: Iterable[str], roles: Roles | None) -> tuple[str, ...]:
    """The users of a list and of the list's roles, each once.

    :param roles: None when the auth manager does not tell a worker who has which role.
    :raises ConfigurationError: when an entry names a role and ``roles`` is None. Such a list allows
        nobody, not even the users that it names.
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
    """The users who may answer an approval; empty when the environment lists no approvers.

    :raises ConfigurationError: as :func:`users`, and when no user has any of the listed roles.
    """
    entries = environment.approvers
    found = users(entries, roles)
    if entries and not found:
        raise ConfigurationError(
            f"Nobody can answer the approval: no Airflow user has any of the roles "
            f"{', '.join(entries)} that environments.yaml lists in access.approve."
        )
    return found
