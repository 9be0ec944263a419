"""Errors of requests to a registry: wrong login, missing role, firewall and locked tag.

The answers of Azure Container Registry, each with its source (read 2026-11):

- firewall: 403 ``DENIED``, "client with IP '…' is not allowed access. Refer
  https://aka.ms/acr/firewall to grant access." (github.com/docker/build-push-action/issues/1214)
- missing role: 401 ``UNAUTHORIZED`` with the missing action as ``detail`` (Azure/acr,
  docs/AAD-OAuth.md), the same answer as without a login (github.com/Azure/acr/issues/506)
- ABAC repository permissions: AcrPull and AcrPush have no effect (learn.microsoft.com,
  container-registry-rbac-abac-repository-permissions)
- locked: 405 ``REGISTRY_DISALLOWED_OPERATION`` (github.com/Azure/azure-sdk-for-net/issues/22827)
"""

from __future__ import annotations

import requests

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.image import registry_advice as advice

_NOT_FOUND = "see whether the Connection's host is the login server"
_OTHER = "see the registry's own log"


class Unauthorized(RegistryError):
    """HTTP 401: the registry refused a login, a refresh token, or a right."""


def refusal(
    answer: requests.Response, *, host: str, action: str, token_sent: bool = False
) -> RegistryError:
    """The error for an answer with an unexpected status.

    :param host: the login server.
    :param action: what the request was to do, for the sentence.
    :param token_sent: whether the request carried a token that the registry had issued, so that
        the login is right and a right is missing.
    """
    status, message = answer.status_code, _message(answer)
    kind = Unauthorized if status == 401 else RegistryError
    if advice.is_firewall(message):
        remedy = advice.FIREWALL
    elif status == 401:
        remedy = advice.MISSING_ROLE if token_sent else advice.LOGIN_OR_ROLE
    elif status == 403:
        remedy = advice.MISSING_ROLE if token_sent else advice.FIREWALL_OR_ROLE
    elif status == 405 or advice.is_locked(message):
        remedy = advice.LOCKED
    else:
        remedy = _NOT_FOUND if status == 404 else _OTHER
    return kind(
        f"The registry {host} refused to let us {action}: HTTP {status} ({message}); {remedy}.",
        retryable=status == 429 or status >= 500,
    )


def _message(answer: requests.Response) -> str:
    """The messages of the specification's error document, or the beginning of the body."""
    try:
        message: str | bytes
        errors = answer.json()["errors"]
        message = "; ".join(f"{item['code']}: {item.get('message', '')}" for item in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = answer.content
    return printable.excerpt(message) or answer.reason
