"""The root cause of errors that libraries raise."""

from __future__ import annotations

import socket

import docker
import pytest
import requests
import urllib3
from docker.errors import DockerException
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload.refusals import Attempt
from manifest_engine.hooks.core.causes import innermost
from manifest_engine.hooks.kubernetes import errors as cluster_errors
from urllib3.exceptions import HTTPError

REFUSED = "[Errno 111] Connection refused"


@pytest.fixture
def nobody() -> str:
    """``host:port`` where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def of_urllib3(nobody: str) -> HTTPError:
    with pytest.raises(HTTPError) as caught:
        urllib3.PoolManager(retries=1).request("GET", f"http://{nobody}")
    return caught.value


def of_requests(nobody: str) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        requests.get(f"http://{nobody}", timeout=5)
    return caught.value


def of_docker(nobody: str) -> DockerException:
    with pytest.raises(DockerException) as caught:
        docker.DockerClient(f"tcp://{nobody}", version="auto")
    return caught.value


@pytest.mark.parametrize("made", [of_urllib3, of_requests, of_docker])
def test_a_refused_connection_has_the_system_s_message(made, nobody):
    assert innermost(made(nobody)) == REFUSED


@pytest.mark.parametrize("made", [of_urllib3, of_requests, of_docker])
def test_an_error_that_is_being_handled_is_not_the_cause(made, nobody):
    try:
        raise RuntimeError("The rollout failed.") from ValueError("a probe")
    except RuntimeError:
        assert innermost(made(nobody)) == REFUSED


def test_an_error_without_a_message_has_the_name_of_its_class():
    assert innermost(TimeoutError()) == "TimeoutError"


def test_an_unreachable_api_server_is_reported_while_another_error_is_handled(nobody):
    def roll_back():
        with cluster_errors.explained(f"http://{nobody}", Attempt("get", "pods", "apps")):
            urllib3.PoolManager(retries=1).request("GET", f"http://{nobody}")

    try:
        raise RuntimeError("The rollout failed.")
    except RuntimeError:
        with pytest.raises(ClusterError) as caught:
            roll_back()
    assert f"({REFUSED})" in str(caught.value)
