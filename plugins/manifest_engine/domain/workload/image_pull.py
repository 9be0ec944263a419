"""Why an image cannot be pulled, and whether a new try may succeed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from manifest_engine.domain.core import error_text
from manifest_engine.domain.workload.finding import Finding, flat

Json = Mapping[str, Any]

REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Of a container that waits for its image in vain."""
_TRANSIENT_PULL = re.compile(
    rf"{error_text.NETWORK}|{error_text.CUT_OFF}|{error_text.status(429, 500, 502, 503, 504)}"
    rf"|rate limit|qps exceeded|timed out|bad gateway|service unavailable"
    rf"|{error_text.word('timeout', 'refused', 'temporarily')}",
    re.IGNORECASE,
)
_PULL_DENIED = re.compile(error_text.status(401, 403))
_WITHOUT_LOGIN = "FailedToRetrieveImagePullSecret"
"""The kubelet's event when it pulls without a Secret that it could not get, or not in a second:
https://github.com/kubernetes/kubernetes/blob/v1.36.0/pkg/kubelet/kubelet_pods.go
"""
_IMAGE_MISSING = "not found"
"""What containerd says for a registry's 404."""


def failed(image: str, reason: str, message: str) -> Finding:
    """What a container that waits for one of :data:`REASONS` tells.

    :param message: of its waiting state, in full.
    """
    said = error_text.without_names(message)
    # Replication to another region may lag behind the push.
    missing = _IMAGE_MISSING in message.lower()
    return Finding(
        f"the image {image} cannot be pulled: {flat(message) or reason}",
        final=reason != "ErrImagePull",
        retryable=missing or _TRANSIENT_PULL.search(said) is not None,
        rank=8,
        image_missing=missing,
        pull_denied=_PULL_DENIED.search(said) is not None,
    )


def explained(finding: Finding, events: Iterable[Json]) -> Finding:
    """The finding; retryable where the registry refused a pull without the pull secret.

    If that happened once, it is not final: the node may have been late to learn of the Secret, and
    pulls again by itself in 10 s. Where there is none, the kubelet says so each time that it looks
    at the pod, several times a second.

    :param events: of the pod.
    """
    unread = [event for event in events if event.get("reason") == _WITHOUT_LOGIN]
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


def tried_again(finding: Finding) -> bool:
    """Whether the node pulls again, with the login that it lacked: see :func:`explained`."""
    return finding.pull_denied and finding.retryable and not finding.final
