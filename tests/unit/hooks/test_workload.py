"""What a service's objects become when a release fails."""

from __future__ import annotations

from manifest_engine.hooks.workload import Workload


class Empty:
    """A namespace from which somebody has deleted everything."""

    def get(self, *_what):
        return None


def test_where_the_deployment_was_deleted_nothing_is_said_to_run():
    done = Workload(Empty(), "apps", "pricing-quotes").roll_back([])
    assert "no longer there" in done
    assert "namespace 'apps'" in done
