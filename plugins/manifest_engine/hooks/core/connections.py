"""Checks of Airflow Connections of all types: existence, type and certificates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.core.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection


@contextmanager
def required(conn_id: str, kind: str, *, by: str = "environments.yaml") -> Iterator[None]:
    """Read the Connection in this block.

    :param kind: type of the Connection, for the error.
    :param by: what refers to the Connection, for the error.
    :raises ConfigurationError: when the Connection does not exist. Airflow's own error would be
        retried, which cannot help.
    """
    try:
        yield
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"{by} names the Airflow Connection {conn_id!r}, which does not exist; add it (type "
            f"{kind}) under Admin, Connections, or by 'airflow connections add {conn_id}'."
        ) from None


def kind_of(conn_id: str, *kinds: str) -> str:
    """The type of an Airflow Connection.

    :param kinds: the expected types, for the error.
    :raises ConfigurationError: when the Connection does not exist.
    """
    from airflow.sdk import BaseHook

    with required(conn_id, " or ".join(kinds)):
        return str(BaseHook.get_connection(conn_id).conn_type)


def require_type(connection: Connection, *kinds: str) -> None:
    """Refuse a Connection of another type.

    :param kinds: the accepted types.
    :raises ConfigurationError: also for a Connection without a type: Airflow's provider creates
        such a Connection when ``kubernetes_default`` does not exist.
    """
    found = connection.conn_type
    if found in kinds:
        return
    # "airflow connections add" stores an unknown type as "generic".
    what = (
        f"is of type {found!r}: delete it and add it anew"
        if found
        else "does not exist, or has no type: add it"
    )
    raise ConfigurationError(
        f"The Connection {connection.conn_id!r} {what} with type {' or '.join(kinds)}. For our own "
        "types the CLI and every component of Airflow need PYTHONPATH=$AIRFLOW_HOME/plugins."
    )


def pem(conn_id: str, key: str, value: str) -> str:
    """Read a field of a Connection's extra that holds PEM text or the path of a PEM file.

    :raises ConfigurationError: when the file cannot be read. The value is not quoted: it can hold a
        private key.
    """
    if "-----BEGIN" in value:
        return value
    try:
        return Path(value).read_text()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(
            f"{key} in the extra of the Connection {conn_id!r} is neither PEM text nor a file that "
            f"can be read ({reason})."
        ) from None


def certificate_authorities(extra: Mapping[str, Any]) -> bool | str:
    """``verify`` for requests: the file in ``verify`` of the extra, else REQUESTS_CA_BUNDLE.

    :return: the path of a file with certificate authorities, or True for the usual authorities.
    """
    given = extra.get("verify")
    if isinstance(given, str) and given.lower() not in ("", "true", "false"):
        return given
    return os.environ.get("REQUESTS_CA_BUNDLE") or True
