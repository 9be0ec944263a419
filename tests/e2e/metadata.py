"""Airflow's database, for states that the API does not return, or returns too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine

from sandbox.airflow import database
from sandbox.airflow.airflow import Airflow


@contextmanager
def metadata() -> Iterator[Connection]:
    """A connection whose statements all see the latest commits."""
    engine = create_engine(database.url(Airflow().home), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
