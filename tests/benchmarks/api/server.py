"""``python -m tests.benchmarks.api.server PORT``: the API alone, as the user ada.

Airflow's log-in is left out. A reading of a cluster parses the text of its Deployments.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import uvicorn
from fastapi import FastAPI
from manifest_engine.api import airflow_internals, app, catalog
from manifest_engine.domain.environment import environments
from manifest_engine.domain.record import live
from manifest_engine.services.record.observation import Observer

from tests.benchmarks.api.records import ENVIRONMENTS, deployments


def make() -> FastAPI:
    """The app with three environments."""
    dev = environments.load()["dev"]
    configured = dict.fromkeys(ENVIRONMENTS, dev)
    environments.load = lambda *_: configured  # type: ignore[assignment]
    lists = {name: json.dumps(deployments(name)) for name in ENVIRONMENTS}

    def read(name: str, _: Any) -> Any:
        found = (live.read(item, name, configured) for item in json.loads(lists[name]))
        return {item.place: item for item in found if item}

    catalog.observer = Observer(read)
    made = app.create()
    user = SimpleNamespace(get_name=lambda: "ada", get_id=lambda: "ada")
    for route in made.routes:
        for dependency in getattr(route, "dependencies", ()):
            made.dependency_overrides[dependency.dependency] = lambda: None
    made.dependency_overrides[airflow_internals.get_user] = lambda: user
    airflow_internals.may_start = lambda *_: True  # type: ignore[assignment]
    return made


if __name__ == "__main__":
    uvicorn.run(make(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
