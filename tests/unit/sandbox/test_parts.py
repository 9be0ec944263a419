"""Which parts are started and stopped, whatever the settings are by then."""

from __future__ import annotations

import pytest

from sandbox import parts
from sandbox.__main__ import _with_needs
from sandbox.core.part import SandboxError

GIVEN = [part for part in parts.every_part() if part.name not in ("arm", "rbac")]
"""What is there beside a cluster that is given."""


def test_down_knows_every_part_that_any_setting_starts():
    assert {part.name for part in parts.all_parts()} <= {part.name for part in parts.every_part()}
    assert {"arm", "rbac", "database"} <= {part.name for part in parts.every_part()}


def test_a_part_brings_along_what_it_needs_and_no_more():
    names = {part.name for part in _with_needs(parts.all_parts(), ["registry"])}
    assert "registry" in names
    assert not {"cluster", "airflow"} & names


def test_the_stack_beside_a_given_cluster_is_refused_with_what_to_do():
    with pytest.raises(SandboxError, match=r"'compose' needs 'rbac'.*unset SANDBOX_KUBECONFIG"):
        _with_needs([*GIVEN, *parts.on_request()], ["compose"])


def test_a_part_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(SandboxError, match=r"no part named 'moon'; there are: .*cluster"):
        _with_needs(GIVEN, ["moon"])
