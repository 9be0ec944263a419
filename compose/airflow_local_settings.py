"""Airflow reads this when it starts."""

import sys
from pathlib import Path

if "celery" in sys.argv:
    import manifest_engine.preload  # noqa: F401
    from celery.signals import heartbeat_sent

    @heartbeat_sent.connect
    def alive(**_: object) -> None:
        """Every two seconds, while the broker is there: for the worker's health check."""
        Path("/tmp/worker-alive").touch()  # noqa: S108
