"""An Airflow Connection that is named and not there, or of another type: what to add."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.core.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection


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


def demand_type(connection: Connection, *kinds: str) -> None:
    """Refuse a Connection whose type says that it leads elsewhere, or nowhere.

    :param kinds: the types that will do.
    :raises ConfigurationError: also for one without a type, which Airflow's provider makes up where
        there is no ``kubernetes_default``.
    """
    found = connection.conn_type
    if found in kinds:
        return
    # "airflow connections add" stores as "generic" what it does not know.
    what = (
        f"is of type {found!r}: delete it and add it anew"
        if found
        else "does not exist, or has no type: add it"
    )
    raise ConfigurationError(
        f"The Connection {connection.conn_id!r} {what} with type {' or '.join(kinds)}. For our own "
        "types the CLI and every component of Airflow need PYTHONPATH=$AIRFLOW_HOME/plugins."
    )
