"""Airflow reads this when it starts."""

import sys

if "celery" in sys.argv:
    import manifest_engine.preload  # noqa: F401
