"""What the DAGs share: their form's params and how their tasks are retried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.form.form import FormField
from manifest_engine.operators.core.step import RetryByError

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


MAX_ACTIVE_RUNS = 1000
"""Airflow counts a run that waits for a person or for a lease as active. A limit low enough to
bound the work would let the runs that wait for one environment stop those of all others. So the
work is bounded by :data:`HEAVY` and by the workers; this limit keeps a client that triggers runs in
a loop from filling the scheduler."""
HEAVY: dict[str, Any] = {"max_active_tis_per_dag": 32}
"""For the steps that move an image or start a pod: so many at once, of all runs of the DAG. Not for
steps that defer or wait for a person: Airflow counts those while they wait."""


def per_service(configured: Mapping[str, Environment]) -> dict[str, Any]:
    """What the DAGs that change one service have in common: how their runs go, and how long."""
    return {
        **ON_REQUEST,
        "tags": ["manifest-engine"],
        "max_active_runs": MAX_ACTIVE_RUNS,
        "dagrun_timeout": timedelta(hours=2) + environments.longest_approval(configured),
        # A run that is further on goes first: of many at once some end early, rather than all late.
        "default_args": TASKS | {"weight_rule": "upstream"},
    }


def params(fields: Iterable[FormField]) -> dict[str, Param]:
    """The form's fields as a DAG's params; the required ones have no default."""
    return {
        field.name: Param(**field.schema)
        if field.required
        else Param(default=field.default, **field.schema)
        for field in fields
    }
