"""Names of the test service, unique per process, because parallel tests share the gateway."""

from __future__ import annotations

from uuid import uuid4

COMPONENT = f"tests-{uuid4().hex[:6]}"
NAME = f"{COMPONENT}-service"
"""Name of the Kubernetes objects."""
LEASE_NAME = f"{NAME}.manifest-engine"
"""Name of the Lease that a deployment holds."""
