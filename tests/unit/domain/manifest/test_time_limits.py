"""The times of a request and of a pod's shutdown fit each other and the environment."""

import pytest
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.manifest import time_limits

from tests.unit.domain.release.releases import GATEWAY, make_release


def times(*, routing=None, cluster=None, **fields):
    """Seconds of a request and of the shutdown, after the check."""
    made = make_release(routing=GATEWAY | (routing or {}), cluster=cluster, **fields)
    time_limits.require_allowed(made.manifest, made.environment)
    return (
        time_limits.request_seconds(made.manifest, made.environment),
        time_limits.shutdown_seconds(made.manifest, made.environment),
    )


def test_a_pod_has_as_long_as_a_request_by_default():
    assert times() == (60, 60)
    assert times(route={"timeoutSeconds": 120}) == (120, 120)


def test_a_request_has_no_longer_than_the_pod_by_default():
    assert times(shutdownSeconds=20) == (20, 20)
    assert times(shutdownSeconds=120) == (60, 120)


def test_the_defaults_keep_to_low_limits_of_the_environment():
    assert times(routing={"maxTimeoutSeconds": 30}) == (30, 30)
    assert times(cluster={"maxShutdownSeconds": 30}) == (30, 30)


def test_a_service_of_streams_has_no_request_limit_and_a_minute_to_end():
    assert times(route={"timeoutSeconds": 0}) == (0, 60)
    assert times(route={"timeoutSeconds": 0}, shutdownSeconds=5) == (0, 5)
    assert times(route={"timeoutSeconds": 0}, cluster={"maxShutdownSeconds": 30}) == (0, 30)


def test_a_pod_that_would_end_before_its_requests_is_refused():
    with pytest.raises(ManifestError, match=r"shutdownSeconds 10 is less than route.timeoutSec"):
        times(route={"timeoutSeconds": 30}, shutdownSeconds=10)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"route": {"timeoutSeconds": 301}}, "route.timeoutSeconds is 301.*at most 300 .*routing"),
        ({"shutdownSeconds": 301}, "shutdownSeconds is 301.*at most 300 .cluster.maxShutdownSec"),
        ({"route": {"timeoutSeconds": 40}, "cluster": {"maxShutdownSeconds": 30}}, "at most 30 "),
        ({"route": {"timeoutSeconds": 0}, "routing": {"allowNoTimeout": False}}, "set at most 300"),
    ],
)
def test_times_above_the_limits_of_the_environment_are_refused(given, error):
    with pytest.raises(NotAllowed, match=error) as refused:
        times(**given)
    assert not refused.value.retryable
