"""The private Python index of an Airflow Connection, as a pip configuration."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.errors import ConfigurationError


class PackageIndexHook(BaseHook):
    """A Connection of type ``http`` or ``generic``.

    Host is the index's URL in pip's sense (``https://host/path/simple``), or schema, host and port
    are filled in; login and password, where it wants them: in fields of their own, not in host.

    :param package_index_conn_id: its id.
    """

    conn_name_attr = "package_index_conn_id"
    default_conn_name = "package_index_default"
    hook_name = "Private Python index"

    def __init__(self, package_index_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.package_index_conn_id = package_index_conn_id

    def pip_configuration(self) -> str:
        """The text of a ``pip.conf``; it holds the password.

        :raises ConfigurationError: when there is no such Connection, or no URL in it, or one with
            credentials.
        """
        try:
            connection = self.get_connection(self.package_index_conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The private package index needs the Airflow Connection "
                f"{self.package_index_conn_id!r}, which does not exist; add it (type http) with "
                "the index's URL as host, login and password."
            ) from None
        return pip_configuration(
            self._url(connection), connection.login or "", connection.password or ""
        )

    def require_login(self) -> None:
        """For a failure to be told well: pip calls a package that it may not see "not found".

        :raises ConfigurationError: when the index refuses the login; any other trouble is not ours
            to tell, since the builder may reach what this worker does not.
        """
        import requests

        connection = self.get_connection(self.package_index_conn_id)
        auth = (connection.login or "", connection.password or "")
        url = self._url(connection)
        try:
            with requests.get(
                f"{url.rstrip('/')}/internal-utils/", auth=auth, timeout=5, stream=True
            ) as answer:
                status = answer.status_code  # all that counts: the body is not read
        except requests.RequestException:
            return
        if status in (401, 403):
            raise ConfigurationError(
                f"The package index of the Connection {self.package_index_conn_id!r} ({url}) "
                f"refused the login (HTTP {status}); correct its login and password."
            )

    def _url(self, connection: Any) -> str:
        host = connection.host or ""
        if not host:
            raise ConfigurationError(
                f"The Connection {self.package_index_conn_id!r} has no host; enter the URL of the "
                "private package index, such as https://host/artifactory/api/pypi/pypi/simple."
            )
        if "@" in host or "?" in host:  # not quoted: that would bring them into logs
            raise ConfigurationError(
                f"The Connection {self.package_index_conn_id!r} has credentials in host; put them "
                "into login and password."
            )
        if "://" in host:
            return str(host)
        port = f":{connection.port}" if connection.port else ""
        server, slash, path = host.partition("/")
        return f"{connection.schema or 'https'}://{server}{port}{slash}{path}"


def pip_configuration(url: str, login: str, password: str) -> str:
    """What pip reads: the index beside the public one, and alone for ``pip download``.

    So a package that must be the private one is fetched by ``pip download`` (no public package of
    the same name can take its place), and all else by ``pip install``.
    """
    parts = urlsplit(url)
    authority = parts.hostname or ""
    if parts.port:
        authority += f":{parts.port}"
    trusted = f"trusted-host = {authority}\n" if parts.scheme == "http" else ""
    if login or password:
        authority = f"{quote(login, safe='')}:{quote(password, safe='')}@{authority}"
    known = urlunsplit(parts._replace(netloc=authority))
    return (
        f"[global]\nextra-index-url = {known}\n{trusted}\n"
        f"[download]\nindex-url = {known}\nextra-index-url =\nno-deps = true\n"
    )
