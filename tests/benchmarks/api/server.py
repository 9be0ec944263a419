"""``python -m tests.benchmarks.api.server PORT [AWAY]``: the API and the pages, as the user ada.

Airflow's log-in is left out. A reading of a cluster parses the text of its Deployments. The cluster
of the environment AWAY answers no request, which the hook notices after 20 s.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import uvicorn
from fastapi import FastAPI
from manifest_engine.api import airflow_internals, app, catalog
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.record import live
from manifest_engine.services.record.observation import PAGE, Observer
from starlette.routing import Mount

from tests.benchmarks.api.records import ENVIRONMENTS, deployments

_NOTICED_SECONDS = 20.0
"""Four attempts to connect, of 5 s each."""


def make(away: str) -> FastAPI:
    """The app with three environments."""
    dev = environments.load()["dev"]
    configured = dict.fromkeys(ENVIRONMENTS, dev)
    environments.load = lambda *_: configured  # type: ignore[assignment]
    lists = {name: list(listed(deployments(name))) for name in ENVIRONMENTS}

    def read(name: str, _: Any) -> Any:
        if name == away:
            time.sleep(_NOTICED_SECONDS)
            raise ClusterError("The API server could not be reached.")
        found = (
            live.read(item, name, configured) for page in lists[name] for item in json.loads(page)
        )
        return {item.place: item for item in found if item}

    catalog.observer = Observer(read)
    made = app.create()
    user = SimpleNamespace(get_name=lambda: "ada", get_id=lambda: "ada")
    pages = [item.app for item in made.routes if isinstance(item, Mount)]
    for part in (made, *(item for item in pages if isinstance(item, FastAPI))):
        for route in part.routes:
            for dependency in getattr(route, "dependencies", ()):
                part.dependency_overrides[dependency.dependency] = lambda: None
        part.dependency_overrides[airflow_internals.get_user] = lambda: user
    airflow_internals.may_start = lambda *_: True  # type: ignore[assignment]
    return made


def listed(items: list[dict[str, Any]]) -> Iterator[str]:
    """Deployments as a cluster lists them."""
    for at in range(0, len(items), PAGE):
        yield json.dumps(items[at : at + PAGE])


if __name__ == "__main__":
    uvicorn.run(
        make("".join(sys.argv[2:])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning"
    )
