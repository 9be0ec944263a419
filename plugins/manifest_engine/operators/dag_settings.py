"""What the DAGs share: their form's params and how their tasks are retried."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from manifest_engine.domain.form import FormField
from manifest_engine.operators.step import RetryByError

TASKS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
    "retry_policy": RetryByError(),
}
"""``default_args``: about a minute of retries for what a retry can mend, none for the rest."""


def params(fields: Iterable[FormField]) -> dict[str, Param]:
    """The form's fields as a DAG's params; the required ones have no default."""
    return {
        field.name: Param(**field.schema)
        if field.required
        else Param(default=field.default, **field.schema)
        for field in fields
    }
