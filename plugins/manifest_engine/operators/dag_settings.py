"""What the DAGs share: their form's params and how their tasks are retried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from manifest_engine.domain import environments
from manifest_engine.domain.environment import Environment
from manifest_engine.domain.form import FormField
from manifest_engine.operators.step import RetryByError

ON_REQUEST: dict[str, Any] = {"schedule": None, "is_paused_upon_creation": False}
"""A DAG that runs when it is triggered: paused, as Airflow makes one, it would let runs queue."""
TASKS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
    "retry_policy": RetryByError(),
}
"""``default_args``: about a minute of retries for what a retry can mend, none for the rest."""


def deploying(configured: Mapping[str, Environment]) -> dict[str, Any]:
    """What the DAGs that bring a release live have in common: how their runs go, and how long."""
    return {
        **ON_REQUEST,
        "tags": ["manifest-engine"],
        "max_active_runs": 32,  # deployments of other services need not wait for one another
        "dagrun_timeout": timedelta(hours=2) + environments.longest_approval(configured),
        "default_args": TASKS,
    }


def params(fields: Iterable[FormField]) -> dict[str, Param]:
    """The form's fields as a DAG's params; the required ones have no default."""
    return {
        field.name: Param(**field.schema)
        if field.required
        else Param(default=field.default, **field.schema)
        for field in fields
    }
