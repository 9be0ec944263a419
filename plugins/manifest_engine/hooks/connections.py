"""An Airflow Connection that is named and not there, as an error that says what to add."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.errors import ConfigurationError


@contextmanager
def required(conn_id: str, kind: str, *, by: str = "environments.yaml") -> Iterator[None]:
    """While the Connection is read.

    :param kind: its type.
    :param by: who names it.
    :raises ConfigurationError: in place of Airflow's own error, which a retry would not mend.
    """
    try:
        yield
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"{by} names the Airflow Connection {conn_id!r}, which does not exist; add it (type "
            f"{kind}) under Admin, Connections, or by 'airflow connections add {conn_id}'."
        ) from None
