"""Why an image cannot be pulled, and whether a retry may succeed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from manifest_engine.domain.core import error_text
from manifest_engine.domain.workload.finding import Finding, flat

Json = Mapping[str, Any]

REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Waiting reasons of a container whose image cannot be pulled."""
_TRANSIENT_PULL = re.compile(
    rf"{error_text.NETWORK}|{error_text.CUT_OFF}|{error_text.status(429, 500, 502, 503, 504)}"
    rf"|rate limit|qps exceeded|timed out|bad gateway|service unavailable"
    rf"|{error_text.word('timeout', 'refused', 'temporarily')}",
    re.IGNORECASE,
)
_PULL_DENIED = re.compile(error_text.status(401, 403))
_PULL_WITHOUT_LOGIN = "FailedToRetrieveImagePullSecret"
"""The kubelet's event when it could not read the pull secret within a second, and pulls without it:
https://github.com/kubernetes/kubernetes/blob/v1.36.0/pkg/kubelet/kubelet_pods.go
"""
_IMAGE_MISSING = "not found"
"""containerd's message for a registry's 404."""


def failed(image: str, reason: str, message: str) -> Finding:
    """The finding on a container that waits for one of :data:`REASONS`.

    :param message: the full message of the waiting state.
    """
    said = error_text.without_names(message)
    # Retryable, since replication to another region may lag behind the push.
    missing = _IMAGE_MISSING in message.lower()
    retryable = missing or _TRANSIENT_PULL.search(said) is not None
    return Finding(
        f"the image {image} cannot be pulled: {flat(message) or reason}",
        # The node repeats the pull, with a growing pause. A missing image ends the wait: the caller
        # then asks the registry whether the image exists.
        final=reason != "ErrImagePull" and (missing or not retryable),
        retryable=retryable,
        rank=8,
        image_missing=missing,
        pull_denied=_PULL_DENIED.search(said) is not None,
    )


def check_pull_secret(finding: Finding, events: Iterable[Json]) -> Finding:
    """Make the finding retryable if the node pulled without the pull secret.

    A single event is not final: the node may have learned of the Secret too late, and pulls again
    after 10 s. If the Secret does not exist, the kubelet reports the event several times a second.

    :param events: events of the pod.
    """
    unread = [event for event in events if event.get("reason") == _PULL_WITHOUT_LOGIN]
    if not (finding.pull_denied and unread):
        return finding
    times = sum(event.get("count") or 1 for event in unread)
    return replace(
        finding,
        sentence=f"{finding.sentence}. The node had no pull secret to show: "
        f"{flat(unread[-1].get('message'))} Create the Secret if the namespace has none of "
        "that name",
        final=finding.final and times > 1,
        retryable=True,
    )


def node_retries(finding: Finding) -> bool:
    """Whether the node pulls again, now with the pull secret; see :func:`check_pull_secret`."""
    return finding.pull_denied and finding.retryable and not finding.final
