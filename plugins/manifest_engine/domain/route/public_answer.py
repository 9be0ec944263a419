"""Which public URL is called after a release, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass, field

from manifest_engine.domain.release.release import Release


@dataclass(frozen=True)
class Answer:
    """The answer of the public URL; ``problem`` says why ``status`` is None."""

    status: int | None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    misconfigured: bool = False
    """There was no answer, and a retry cannot help."""


def target(release: Release) -> tuple[str, bool]:
    """The URL to call, and whether the smoke test's expectations hold there."""
    if release.manifest.smoke_path is None:
        return release.url + "/", False
    path = release.manifest.smoke_path
    if release.manifest.route.strip_prefix:
        return release.url + path, True
    if path == release.route_path or path.startswith(release.route_path + "/"):
        return release.environment.routing.url + path, True
    # The service sees the whole path, and its health path is not below that path.
    return release.url, False


def judge(release: Release, answer: Answer, *, strict: bool) -> str:
    """What is wrong with the answer; empty if nothing is.

    :param strict: whether the smoke test's expectations hold. Otherwise any status but 404 and 5xx
        is accepted.
    """
    if answer.status is None:
        return f"no answer ({answer.problem})"
    if not strict:
        return "" if answer.status < 500 and answer.status != 404 else f"it answers {answer.status}"
    problem = release.manifest.smoke_test.problem(answer.status, answer.body)
    return problem and f"it {problem}"


def explain_gateway_404(release: Release, diagnosis: str) -> str:
    """Explain a 404 of the gateway itself, which has no route for the path.

    :param diagnosis: what is wrong with the Gateway; empty when unknown.
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


def explain_service_404(release: Release) -> str:
    """Explain a 404 of a service that passed its smoke test."""
    problem = "the service itself answers 404: it is reached, but does not know the path; "
    if release.environment.routing.api == "ingress" and release.manifest.route.strip_prefix:
        return problem + (
            f"the ingress controller has not stripped {release.route_path}, which only "
            "ingress-nginx does for an Ingress; set route.stripPrefix to false in the manifest and "
            "answer below that path, or routing.api to gateway in environments.yaml"
        )
    if release.manifest.smoke_path is None:
        return problem + "set smokeTest.path to a path that the service knows"
    if not release.manifest.route.strip_prefix:
        return problem + (
            f"with route.stripPrefix false the service sees the whole path: answer below "
            f"{release.route_path}, and set healthPath or smokeTest.path to a path there, such as "
            f"{release.route_path}/health, or set route.stripPrefix to true"
        )
    return problem + "see route.stripPrefix"
