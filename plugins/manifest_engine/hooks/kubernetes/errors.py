"""What goes wrong when an API server is asked, as errors that a person can use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload import refusals
from manifest_engine.hooks.core.causes import innermost


class NotFound(ClusterError):
    """There is no such object."""


class Exists(ClusterError):
    """Somebody else has made or changed the object meanwhile."""


class Forbidden(ClusterError):
    """The account lacks a right, as far as this API server knows."""


class Conflict(ClusterError):
    """Other field managers own fields that were to be applied.

    :param owned: manager and field of each.
    """

    def __init__(self, sentence: str, owned: list[tuple[str, str]]) -> None:
        super().__init__(sentence, retryable=False)
        self.owned = owned


@contextmanager
def explained(server: str, attempt: refusals.Attempt) -> Iterator[None]:
    """Turn what the client raises meanwhile into ClusterError or one of its kinds.

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
            owned = refusals.conflicts(refusals.read_status(error.body))
            raise Conflict(refusal.sentence, owned) from error
        if error.status == 409 and refusal.reason in ("AlreadyExists", "Conflict"):
            raise Exists(refusal.sentence, retryable=True) from error
        if refusal.reason == "Forbidden":
            raise Forbidden(refusal.sentence) from error
        raise ClusterError(refusal.sentence, retryable=refusal.retryable) from error
    except HTTPError as error:
        raise ClusterError(
            f"The API server {server} could not be reached to {attempt} ({innermost(error)}); "
            "check that the cluster runs and that this worker may reach it.",
            retryable=True,
        ) from error
