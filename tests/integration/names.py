"""Names of the test service: processes that test side by side do not meet on the gateway."""

from __future__ import annotations

from uuid import uuid4

COMPONENT = f"tests-{uuid4().hex[:6]}"
NAME = f"{COMPONENT}-service"
"""Of its Kubernetes objects."""
LEASE_NAME = f"{NAME}.manifest-engine"
"""Of the Lease that a deployment holds."""
