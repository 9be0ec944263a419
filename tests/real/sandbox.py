"""``python -m tests.real.sandbox``: ``make test-real`` against the sandbox, as if it were real."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from sandbox.airflow import configuration
from sandbox.core.settings import SETTINGS


def main() -> int:
    connections = {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields)
        for conn_id, fields in configuration.desired_connections().items()
    }
    variables = {
        "MANIFEST_ENGINE_REAL_ENVIRONMENT": "aks",
        "MANIFEST_ENGINE_ENVIRONMENTS": str(configuration.environments(SETTINGS.state / "airflow")),
        "REQUESTS_CA_BUNDLE": str(SETTINGS.ca_bundle),
        "SSL_CERT_FILE": str(SETTINGS.ca_bundle),
    }
    words = [sys.executable, "-m", "tests.real"]
    return subprocess.run(words, env=os.environ | connections | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
