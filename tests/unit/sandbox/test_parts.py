"""The parts that ``up`` starts and ``down`` stops under different settings."""

from __future__ import annotations

import pytest

from sandbox import parts
from sandbox.__main__ import _with_needs
from sandbox.core.part import SandboxError

GIVEN = [part for part in parts.known_parts() if part.name not in ("arm", "rbac")]
"""The parts that run beside a given cluster."""


def test_down_stops_the_parts_of_all_settings():
    assert {part.name for part in parts.enabled_parts()} <= {
        part.name for part in parts.known_parts()
    }
    assert {"arm", "rbac", "database"} <= {part.name for part in parts.known_parts()}


def test_up_only_starts_a_part_and_its_needs():
    names = {part.name for part in _with_needs(parts.enabled_parts(), ["registry"])}
    assert "registry" in names
    assert not {"cluster", "airflow"} & names


def test_the_compose_stack_beside_a_given_cluster_is_refused():
    with pytest.raises(SandboxError, match=r"'compose' needs 'rbac'.*unset SANDBOX_KUBECONFIG"):
        _with_needs([*GIVEN, *parts.on_request()], ["compose"])


def test_an_unknown_part_is_reported_with_the_known_parts():
    with pytest.raises(SandboxError, match=r"no part named 'moon'; there are: .*cluster"):
        _with_needs(GIVEN, ["moon"])
