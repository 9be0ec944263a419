"""What to do when a registry refuses a request; the same for its API and for a push."""

from __future__ import annotations

import re

_ROLE = (
    "the role AcrPush, or in a registry with ABAC repository permissions the role 'Container "
    "Registry Repository Writer' (AcrPush has no effect there)"
)
MISSING_ROLE = f"the login is right but may not do this: give its identity {_ROLE}"
LOGIN_OR_ROLE = (
    "the registry does not say which of two causes: correct login and password (or the Entra ID "
    f"identity) of the acr Connection, or give the identity {_ROLE}"
)
FIREWALL = (
    "the firewall of the registry does not admit this address: add the address under Networking "
    "of the registry, or reach the registry by its private endpoint"
)
FIREWALL_OR_ROLE = (
    "before a login this is usually the firewall of the registry or disabled public access "
    f"(Networking); else give the identity {_ROLE}"
)
LOCKED = (
    "the tag, the repository or the registry is locked (or its storage is full): unlock it (az "
    "acr repository update --write-enabled true), or give a new version"
)

FIREWALL_PATTERN = r"client with ip\b.{0,80}is not allowed access|aka\.ms/acr/firewall"
LOCKED_PATTERN = r"operation is disallowed|registry_disallowed_operation"
_FIREWALL = re.compile(FIREWALL_PATTERN, re.IGNORECASE)
_LOCKED = re.compile(LOCKED_PATTERN, re.IGNORECASE)


def is_firewall(message: str) -> bool:
    """Whether the message is that of the registry's firewall."""
    return _FIREWALL.search(message) is not None


def is_locked(message: str) -> bool:
    """Whether the message is that of a locked tag, repository or registry."""
    return _LOCKED.search(message) is not None
