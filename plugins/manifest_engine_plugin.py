"""The Airflow plugin. Each component of Airflow loads this file, so it imports little.

``plugins/.airflowignore`` hides the package: otherwise the plugin loader would load each of its
files as a top-level module.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from manifest_engine.api import audit_listener


class _Api:
    """The API's app, imported where Airflow reads the attribute: in the API server."""

    def __get__(self, *_: object) -> list[dict[str, Any]]:
        from manifest_engine.api import app

        return [{"app": app.create(), "url_prefix": "/manifest-engine", "name": "Manifest Engine"}]


class ManifestEnginePlugin(AirflowPlugin):
    """Registers the audit listener and the API."""

    name = "manifest_engine"
    listeners = [audit_listener]  # noqa: RUF012  (Airflow's own declaration)
    fastapi_apps = _Api()
