"""The Airflow plugin. Each component of Airflow loads this file, so it imports little.

``plugins/.airflowignore`` hides the package: otherwise the plugin loader would load each of its
files as a top-level module.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from manifest_engine.api import audit_listener


class ManifestEnginePlugin(AirflowPlugin):
    """Registers the audit listener."""

    name = "manifest_engine"
    listeners = [audit_listener]  # noqa: RUF012  (Airflow's own declaration)
