"""Airflow imports this file when it starts. Only the worker needs something from it."""

import sys
from pathlib import Path

if "celery" in sys.argv:
    import manifest_engine.preload  # noqa: F401
    from celery.signals import heartbeat_sent

    @heartbeat_sent.connect
    def touch_health_file(**_: object) -> None:
        """Touch the file of the health check: every two seconds while the broker answers."""
        Path("/tmp/worker-alive").touch()  # noqa: S108
