"""Airflow's database, for what its API does not tell, or not soon enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine

from sandbox.airflow import database
from sandbox.airflow.airflow import Airflow


@contextmanager
def metadata() -> Iterator[Connection]:
    """A connection on which every statement sees what has been written by then."""
    engine = create_engine(database.url(Airflow().home), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
