"""The Airflow plugin. Each component of Airflow loads this file, so it imports little.

``plugins/.airflowignore`` hides the package: otherwise the plugin loader would load each of its
files as a top-level module.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from manifest_engine.api import task_links
from manifest_engine.api.listeners import audit_listener, run_listener


class _Api:
    """The API's app, imported where Airflow reads the attribute: in the API server."""

    def __get__(self, *_: object) -> list[dict[str, Any]]:
        from manifest_engine.api import app

        return [{"app": app.create(), "url_prefix": "/manifest-engine", "name": "Manifest Engine"}]


_PAGES = {
    "name": "Services",
    "href": "manifest-engine/ui/",  # relative to Airflow's base URL, which may have a path
    "icon": "manifest-engine/ui/static/services.svg",
    "icon_dark_mode": "manifest-engine/ui/static/services-dark.svg",
    "destination": "nav",
    "nav_top_level": True,
    "url_route": "services",
}
"""The entry in Airflow's navigation. Airflow shows the pages in a frame."""


class ManifestEnginePlugin(AirflowPlugin):
    """Registers the listeners, the API, the pages, and links to them."""

    name = "manifest_engine"
    listeners = [audit_listener, run_listener]  # noqa: RUF012  (Airflow's own declaration)
    fastapi_apps = _Api()
    external_views = [_PAGES]  # noqa: RUF012
    operator_extra_links = [task_links.DeploymentLink(), task_links.ServiceLink()]  # noqa: RUF012
