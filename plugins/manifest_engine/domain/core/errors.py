"""The errors of a deployment. Each message is a sentence for the person who can fix the cause.

The message says what was tried, what was found and what to do. ``retryable`` says whether a retry
can help; the retry policy of the tasks reads this attribute.
"""

from __future__ import annotations

from typing import ClassVar

from manifest_engine.domain.core import printable


class ManifestEngineError(Exception):
    """Base of all errors of this package.

    :param sentence: one or two sentences, without secrets; made printable and bounded here.
    :param retryable: whether the same attempt can succeed later; overrides the class's default.
    """

    default_retryable: ClassVar[bool] = False
    outcome: str = "failed"
    """What the error means for the deployment: ``failed``, ``rolled back``, ``superseded`` or
    ``cancelled``."""

    def __init__(self, sentence: str, *, retryable: bool | None = None) -> None:
        super().__init__(printable.sentence(sentence))
        self.retryable = self.default_retryable if retryable is None else retryable


class ManifestError(ManifestEngineError):
    """The manifest is wrong: an unknown key, a bad name, an environment that is not configured."""


class NotAllowed(ManifestEngineError):
    """The environment does not allow this action for this user, or this reference in a manifest."""


class ConfigurationError(ManifestEngineError):
    """The installation is wrong: ``environments.yaml``, a Connection, a missing program."""


class ArtifactError(ManifestEngineError):
    """The ZIP cannot be downloaded, has the wrong checksum, or is unsafe to read."""


class BuildError(ManifestEngineError):
    """The image cannot be built from this ZIP."""


class RegistryError(ManifestEngineError):
    """The registry refused the image or could not be reached."""


class SmokeTestFailed(ManifestEngineError):
    """The pushed image does not answer as the manifest requires."""


class NotApproved(ManifestEngineError):
    """A user rejected the release, or nobody answered in time."""


class ClusterError(ManifestEngineError):
    """The cluster could not be reached or refused a request."""


class RolloutFailed(ManifestEngineError):
    """The new release did not become available."""


class RouteConflict(ManifestEngineError):
    """The route is owned by another service, or does not answer."""


class UnexpectedAnswer(RouteConflict):
    """The public URL answers, but not as the manifest requires."""


class Cancelled(ManifestEngineError):
    """A user or the shutdown of the worker ended the task. A retry may follow."""

    default_retryable = True
    outcome = "cancelled"


class EventError(ManifestEngineError):
    """A receiver did not get an event or a chat message."""

    default_retryable = True


class StateError(ManifestEngineError):
    """An earlier task's result is missing or belongs to another run."""


class Superseded(StateError):
    """Another run was requested later, and has been applied or has removed the service."""

    outcome = "superseded"


class NothingHandedOver(StateError):
    """An earlier task ended without a result, for example because somebody marked it a success.

    :param what: the missing result.
    :param task: id of the earlier task.
    """

    def __init__(self, what: str, task: str) -> None:
        super().__init__(f"The task {task} handed over no {what}; clear {task} and run it again.")
