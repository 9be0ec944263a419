"""Calls the public URL of a release until the answer meets the manifest's expectation.

Afterwards, looks for links of the service that leave its route.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from manifest_engine.domain.core.errors import RouteConflict, UnexpectedAnswer
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.route import prefix, public_answer
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.route import public_url
from manifest_engine.services.route import acceptance as route_acceptance

ANSWER_SECONDS = 30.0
"""Limit for the first answer. A local gateway needs 0.1 s after acceptance, a cloud gateway
needs seconds."""
PAUSE_SECONDS = 0.1
_PAGE_SECONDS = 2.0
"""Limit for the check of one page, because a warning must not delay a deployment."""


def await_answer(
    hook: ClusterHook, release: Release, log: logging.Logger, on_look: Callable[[], None]
) -> int:
    """Wait for the expected answer of the public URL; returns the HTTP status.

    Old pods may answer for about a second, and the gateway may not know the route yet.

    :param on_look: called before each request; an exception ends the wait.
    :raises UnexpectedAnswer: naming the answer and who sent it.
    :raises RouteConflict: when nothing answered.
    """
    url, strict = public_answer.target(release)
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        on_look()
        answer = public_url.get(url)
        problem = public_answer.judge(release, answer, strict=strict)
        if not problem or time.monotonic() > end:
            break
        time.sleep(PAUSE_SECONDS)
    if problem:
        if answer.status == 404 and public_url.is_gateway_default(url, answer):
            diagnosis = route_acceptance.diagnosis(hook, release)
            problem = public_answer.explain_gateway_404(release, diagnosis)
        elif answer.status == 404:
            problem = public_answer.explain_service_404(release)
        elif answer.status is None and (diagnosis := route_acceptance.diagnosis(hook, release)):
            problem += f"; {diagnosis}"
        kind = RouteConflict if answer.status is None else UnexpectedAnswer
        raise kind(
            f"The public URL {url} does not answer as it should: {problem}.",
            retryable=not answer.misconfigured and (answer.status is None or answer.status >= 500),
        )
    log.info("%s answers %s", url, answer.status)
    return int(answer.status or 0)


def find_warnings(release: Release, log: logging.Logger) -> list[str]:
    """Sentences on pages of the service whose links leave the route; also logged."""
    found = []
    for page in prefix.PAGES:
        url = release.url + page
        if links := prefix.leaving(url, public_url.get(url, _PAGE_SECONDS)):
            found.append(prefix.warning(release, url, links))
            log.warning("%s", found[-1])
    return found
