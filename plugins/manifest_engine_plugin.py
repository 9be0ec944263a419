"""The one file that Airflow's plugin loader reads; every component loads it, so it imports nothing.

``plugins/.airflowignore`` hides the package itself, which the loader would otherwise run file by
file under top-level names.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class ManifestEnginePlugin(AirflowPlugin):
    """Makes the package known to Airflow under its name."""

    name = "manifest_engine"
