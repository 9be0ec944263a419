"""Errors of an API server, with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload import refusals
from manifest_engine.hooks.core.causes import innermost


class NotFound(ClusterError):
    """The object does not exist."""


class Exists(ClusterError):
    """Another client has created or changed the object."""


class Forbidden(ClusterError):
    """The API server says that the account lacks a permission."""


class Conflict(ClusterError):
    """Other field managers own fields of the applied object."""


@contextmanager
def explained(server: str, attempt: refusals.Attempt) -> Iterator[None]:
    """Turn the client's errors in this block into ClusterError or a subclass.

    :param server: URL of the API server.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        refusal = refusals.explain(error.status or 0, error.body, attempt)
        if error.status == 404 and refusal.reason == "NotFound":
            raise NotFound(refusal.sentence) from error
        if refusal.reason == "FieldManagerConflict":
            raise Conflict(refusal.sentence, retryable=True) from error
        if error.status == 409 and refusal.reason in ("AlreadyExists", "Conflict"):
            raise Exists(refusal.sentence, retryable=True) from error
        if refusal.reason == "Forbidden":
            raise Forbidden(refusal.sentence) from error
        raise ClusterError(refusal.sentence, retryable=refusal.retryable) from error
    except HTTPError as error:
        raise ClusterError(
            f"The API server {server} could not be reached to {attempt} ({innermost(error)}); "
            f"{refusals.unreachable_advice(server)}.",
            retryable=True,
        ) from error
