"""Settings that the DAGs share: params, retries and limits."""

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
"""For DAGs that run only when triggered. Airflow creates DAGs paused, so runs would queue."""
TASKS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
    "retry_policy": RetryByError(),
}
"""``default_args``: about a minute of retries for retryable errors, no retry for other errors."""


MAX_ACTIVE_RUNS = 1000
"""Airflow counts a run that waits for a person or for a lease as active. With a low limit, runs
that wait for one environment would block all other environments. So :data:`HEAVY` and the workers
limit the work, and this limit only stops a client that triggers runs in a loop."""
HEAVY: dict[str, Any] = {"max_active_tis_per_dag": 32}
"""Limit for steps that move an image or start a pod, across all runs of the DAG. Not for steps that
defer or wait for a person: Airflow counts such steps while they wait."""


def per_service(configured: Mapping[str, Environment]) -> dict[str, Any]:
    """Settings of the DAGs that change one service."""
    return {
        **ON_REQUEST,
        "tags": ["manifest-engine"],
        "max_active_runs": MAX_ACTIVE_RUNS,
        "dagrun_timeout": timedelta(hours=2) + environments.longest_approval(configured),
        # Tasks of advanced runs go first, so that some of many runs end early instead of all late.
        "default_args": TASKS | {"weight_rule": "upstream"},
    }


def params(fields: Iterable[FormField]) -> dict[str, Param]:
    """The fields of the form as params of a DAG. Required fields have no default."""
    return {
        field.name: Param(**field.schema)
        if field.required
        else Param(default=field.default, **field.schema)
        for field in fields
    }
