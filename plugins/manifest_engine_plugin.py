"""The one file that Airflow's plugin loader reads; every component loads it: nothing heavy here.

``plugins/.airflowignore`` hides the package itself, which the loader would otherwise run file by
file under top-level names.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from manifest_engine.api import audit_listener


class ManifestEnginePlugin(AirflowPlugin):
    """Makes the package known to Airflow under its name."""

    name = "manifest_engine"
    listeners = [audit_listener]  # noqa: RUF012  (Airflow's own declaration)
