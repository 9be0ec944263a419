"""The server that the standard Dockerfile starts, and the variables that the server reads."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.integration.in_flight import images


@pytest.fixture(scope="module")
def image(sandbox: dict[str, str]) -> str:
    return images.build()


@pytest.fixture
def serve(image: str) -> Iterator[Callable[..., str]]:
    """Starts a container; returns the ``Server`` header of its answer."""
    started = []

    def run(*command: str, port: int = 8002, **variables: str) -> str:
        given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        container = images.docker("run", "-d", *given, image, *command)
        started.append(container)
        address = images.docker(
            "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
        )
        end = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://{address}:{port}/health", timeout=5) as answer:
                    return str(answer.headers["Server"])
            except OSError:
                assert time.monotonic() < end, images.docker("logs", container)
                time.sleep(0.1)

    yield run
    images.docker("rm", "-f", *started)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"FLASK_APP": "src/aiservice.py", "FLASK_RUN_PORT": "9001"},
        {"FLASK_APP": "src.aiservice:app", "FLASK_RUN_HOST": "0.0.0.0"},
    ],
)
def test_gunicorn_reads_the_variables_of_flask_run(serve, variables):
    server = serve(port=int(variables.get("FLASK_RUN_PORT", 8002)), **variables)
    assert server == "gunicorn"


def test_without_gunicorn_the_service_runs_by_flask_run(serve, image):
    command = json.loads(images.docker("image", "inspect", "-f", "{{json .Config.Cmd}}", image))
    removed = 'rm "$(command -v gunicorn)"; exec "$@"'
    server = serve("sh", "-c", removed, "--", *command)
    assert server.startswith("Werkzeug")
