"""A deployer without its role. Parallel tests must not use the same account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from sandbox.kubernetes import rbac


@pytest.fixture
def without_role(cluster: Any, environment: dict[str, str]) -> Iterator[None]:
    """Remove the deployer's role in the namespace during the block."""
    client.RbacAuthorizationV1Api(cluster).delete_namespaced_role_binding(
        rbac.ROLE, environment["NAMESPACE"]
    )
    yield
    rbac.Rbac().start()


@pytest.mark.alone
def test_without_the_role_the_error_names_the_verb_and_the_kind(
    service: Any, without_role: None
) -> None:
    outcome = service("plain-service").deploy(environment="aks")
    assert outcome.state == "failed"
    assert "Bind it to a Role with verb" in outcome.error
