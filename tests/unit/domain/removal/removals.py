"""A planned removal for tests, for the same service as in ``releases``."""

from __future__ import annotations

from datetime import UTC, datetime

from manifest_engine.domain.removal import removal

from tests.unit.domain.release.releases import make_release


def make_removal(run_id: str = "run-1") -> removal.Removal:
    asked = {
        "component": "pricing",
        "serviceName": "quotes",
        "environment": "dev",
        "confirm": "pricing-quotes",
    }
    return removal.plan(
        removal.parse(asked),
        {"dev": make_release().environment},
        run_id=run_id,
        requested_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        requested_by="ada",
    )
