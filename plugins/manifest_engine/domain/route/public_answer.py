"""Which public URL is called after a release, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass, field

from manifest_engine.domain.release.release import Release


@dataclass(frozen=True)
class Answer:
    """What came back; ``status`` is None when nothing did, and ``problem`` says why."""

    status: int | None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    misconfigured: bool = False
    """Nothing came back for a reason that another try does not mend."""


def target(release: Release) -> tuple[str, bool]:
    """The URL to call, and whether the smoke test's expectations hold there."""
    path = release.manifest.smoke_path
    if release.manifest.route.strip_prefix:
        return release.url + path, True
    if path == release.route_path or path.startswith(release.route_path + "/"):
        return release.environment.routing.url + path, True
    # The service sees the whole path and its health path is not below it: any answer will do.
    return release.url, False


def judge(release: Release, answer: Answer, *, strict: bool) -> str:
    """What is wrong with the answer, empty if nothing."""
    wanted = release.manifest.smoke_test
    if answer.status is None:
        return f"no answer ({answer.problem})"
    if not strict:
        return "" if answer.status < 500 and answer.status != 404 else f"it answers {answer.status}"
    if answer.status != wanted.expect_status:
        return f"it answers {answer.status} instead of {wanted.expect_status}"
    if wanted.expect_body and wanted.expect_body not in answer.body:
        return f"it answers {answer.status}, but without {wanted.expect_body[:100]!r} in the body"
    return ""


def gateways_404(release: Release, diagnosis: str) -> str:
    """Of a path that the gateway knows no route for.

    :param diagnosis: what is wrong with the Gateway, empty when that is not known.
    """
    if release.environment.routing.api == "ingress":
        hint = (
            "compare routing.url, routing.host and routing.ingress.className in environments.yaml "
            "with the cluster's ingress controller"
        )
    else:
        hint = diagnosis or (
            "compare routing.url and routing.host in environments.yaml with the Gateway's listeners"
        )
    return f"the gateway answers 404 itself: it has no route for this path on this host; {hint}"


def services_404(release: Release) -> str:
    """Of a path that the service does not know, though it passed its smoke test."""
    said = "the service itself answers 404: it is reached, but does not know the path; "
    if release.environment.routing.api == "ingress" and release.manifest.route.strip_prefix:
        return said + (
            f"the ingress controller has not stripped {release.route_path}, which only "
            "ingress-nginx does for an Ingress; set route.stripPrefix to false in the manifest and "
            "answer below that path, or routing.api to gateway in environments.yaml"
        )
    return said + "see route.stripPrefix"
