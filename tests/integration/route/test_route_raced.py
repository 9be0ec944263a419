"""Two services publish one path at the same time, and neither sees the other's route first."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RouteConflict
from manifest_engine.domain.route import routes
from manifest_engine.operators.route import publish_route
from manifest_engine.services.route import acceptance as route_acceptance
from manifest_engine.services.route import claims as route_claims
from manifest_engine.services.route.claims import refuse_taken

OTHER = "other"
ACCEPTED = "jsonpath={.status.parents[0].conditions[?(@.type=='Accepted')].status}=True"


@pytest.fixture
def older(kube: Any, namespace: str) -> Any:
    """Creates a foreign route with the release's path."""

    def make(release: Any) -> None:
        route = copy.deepcopy(routes.route(release))
        route["metadata"] = {"name": OTHER, "namespace": namespace}
        kube("apply", "-f", "-", given=json.dumps(route))
        where = ("-n", namespace, "--timeout=20s")
        kube("wait", f"httproute/{OTHER}", *where, f"--for={ACCEPTED}")

    yield make
    kube("delete", "httproute", OTHER, "-n", namespace)


def test_a_route_that_the_gateway_refuses_is_removed(
    *, older: Any, make_release: Any, context: Any, kube: Any, namespace: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(route_acceptance, "ACCEPT_SECONDS", 2.0)
    looks = []

    def look(*what: Any) -> Any:
        looks.append(what)
        # The first look is a moment before the other route exists.
        return refuse_taken(*what) if len(looks) > 1 else None

    monkeypatch.setattr(route_claims, "refuse_taken", look)
    release = make_release()
    older(release)
    task = publish_route.PublishRoute(task_id="publish_route", release=release.dump())
    with pytest.raises(RouteConflict, match=f"owned by HTTPRoute {namespace}/{OTHER}") as refused:
        task.execute(context(release.run_id))
    assert not refused.value.retryable
    names = kube("get", "httproutes", "-n", namespace, "-o", "name").split()
    assert names == [f"httproute.gateway.networking.k8s.io/{OTHER}"]
