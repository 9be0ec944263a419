"""Airflow's record of a run, as input for events, chat messages and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.record import audit, deployment

ASSET_NAME, ASSET_URI = "datafactory-runs", "manifest-engine://runs"
"""Name and URI of the asset. An event of the asset stands for the end or the wait of a run."""
DAGS = frozenset({"deploy_service", "rollback_service", "restart_service", "remove_service"})
"""The DAGs whose runs are reported."""
VALUE = "return_value"
PLACES = frozenset(
    {
        *audit.PLACES,
        ("build_image", VALUE),
        ("apply_deployment", VALUE),
    }
)
"""Task and key of each XCom to read, besides ``FAILURE_KEYS`` of failed tasks."""
FAILURE_KEYS = ("error", deployment.OUTCOME_KEY, "cause")
"""XComs to read of a failed task."""
ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class RunFacts:
    """A run with its tasks."""

    run: audit.Run
    note: str
    states: Mapping[str, str]
    """State of each task that has ended."""
    seconds: Mapping[str, float]
    """Duration of each task that has ended."""
    xcoms: Mapping[tuple[str, str], Any]
    message: str
    """Airflow's message about the end of the run."""
    base_url: str
    """URL of Airflow, without a slash at the end."""

    @property
    def has_ended(self) -> bool:
        """Whether Airflow has recorded the end of the run."""
        return self.run.state in ENDED and self.run.ended_at is not None

    @cached_property
    def state(self) -> str:
        """The state of the deployment, as in the API."""
        if self.run.dag_id == "remove_service" and self.run.state == "success":
            return "removed" if self.value("record_removal").get("removed") else "planned"
        return deployment.state(deployment.Facts(self.run, self.note, self._tasks, self.xcoms))

    @property
    def failed_task(self) -> str | None:
        """The first failed task, in the order of the steps."""
        ordered = deployment.in_order(self._tasks)
        return next((task.name for task in ordered if task.state == "failed"), None)

    @property
    def _tasks(self) -> list[deployment.Task]:
        return [deployment.Task(name, state, 0, None, None) for name, state in self.states.items()]

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The audit entry of the run: its length is limited, and secrets are hidden."""
        made = audit.entry(self.run, self.xcoms, failed=self.failed_task, message=self.message)
        if self.state == "cancelled":
            made["sentence"] = printable.excerpt(self.note)
        return made

    @property
    def link(self) -> str:
        """URL of the run's page in Airflow."""
        return f"{self.base_url}/dags/{self.run.dag_id}/runs/{self.run.run_id}"

    def value(self, task: str, key: str = VALUE) -> dict[str, Any]:
        """The XCom of a task, if the XCom is an object; else empty."""
        found = self.xcoms.get((task, key))
        return found if isinstance(found, dict) else {}

    @property
    def pushed(self) -> dict[str, Any]:
        """XCom of ``push_image``, or the XCom that replaces it in a rollback or restart."""
        return (
            self.value("push_image")
            or self.value("validate_rollback", "push")
            or self.value("validate_restart", "push")
        )


def moment(time: datetime) -> str:
    """Write a time as CDEvents requires: by RFC 3339, in UTC."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
