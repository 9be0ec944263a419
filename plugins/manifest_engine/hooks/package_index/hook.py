"""The private Python index of an Airflow Connection, as configuration for pip and uv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.build import recipe
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.hooks.core.connections import pem

if TYPE_CHECKING:
    from manifest_engine.domain.environment.environment import PackageIndex


class PackageIndexHook(BaseHook):
    """A Connection of type ``http`` or ``generic``.

    Host is the index's URL for pip (``https://host/path/simple``), or schema, host and port
    together give the URL. Login and password have fields of their own and do not belong into host.
    Fields of the extra: ``proxy`` is the URL of a proxy between the builder and the index;
    ``ca_cert`` holds certificate authorities of the index or the proxy, in addition to the usual
    authorities, as PEM text or path.

    :param package_index_conn_id: id of the Airflow Connection.
    """

    conn_name_attr = "package_index_conn_id"
    default_conn_name = "package_index_default"
    hook_name = "Private Python index"

    def __init__(self, package_index_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.package_index_conn_id = package_index_conn_id

    def secrets(self, index: PackageIndex) -> dict[str, str]:
        """The build secrets for installing from the index, as text by secret id.

        :raises ConfigurationError: when the Connection does not exist, has no URL or a URL with
            credentials, or names authorities that cannot be read.
        """
        url_with_login = self._url_with_login
        secrets = {
            recipe.PIP_SECRET: pip_configuration(
                url_with_login, proxy=self._proxy, own_ca=bool(self._ca)
            )
        }
        if index.mode == "first":
            secrets[recipe.UV_SECRET] = uv_configuration(url_with_login, index.public_url)
        if self._ca:
            secrets[recipe.CA_SECRET] = self._ca
        return secrets

    @property
    def url(self) -> str:
        """The URL of the index, without credentials."""
        return self._url(self._connection)

    def require_login(self) -> None:
        """Check the login first: pip reports a package as "not secrets" when the index refuses it.

        Other errors are ignored: the builder may reach an index that this worker does not.

        :raises ConfigurationError: when the index refuses the login.
        """
        import requests

        with suppress(requests.RequestException):
            self.login_status()

    def login_status(self) -> int:
        """HTTP status of the page of ``internal-utils``.

        :raises ConfigurationError: when the index refuses the login.
        :raises requests.RequestException: when this worker does not reach the index.
        """
        import requests

        url, proxy = self.url, self._proxy
        auth = (self._connection.login or "", self._connection.password or "")
        with (
            _file(self._ca) as authorities,
            requests.get(
                f"{url.rstrip('/')}/internal-utils/",
                auth=auth,
                timeout=5,
                stream=True,
                proxies={"http": proxy, "https": proxy} if proxy else None,
                verify=authorities or True,
            ) as answer,
        ):
            status = answer.status_code  # the body is not needed
        if status in (401, 403):
            raise ConfigurationError(
                f"The package index of the Connection {self.package_index_conn_id!r} ({url}) "
                f"refused the login (HTTP {status}); correct its login and password."
            )
        return status

    @cached_property
    def _connection(self) -> Any:
        try:
            return self.get_connection(self.package_index_conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The private package index needs the Airflow Connection "
                f"{self.package_index_conn_id!r}, which does not exist; add it (type http) with "
                "the index's URL as host, login and password."
            ) from None

    @property
    def _url_with_login(self) -> str:
        parts = urlsplit(self.url)
        authority = parts.hostname or ""
        if parts.port:
            authority += f":{parts.port}"
        login, password = self._connection.login or "", self._connection.password or ""
        if login or password:
            authority = f"{quote(login, safe='')}:{quote(password, safe='')}@{authority}"
        return urlunsplit(parts._replace(netloc=authority))

    @property
    def _proxy(self) -> str:
        return str(self._connection.extra_dejson.get("proxy") or "")

    @cached_property
    def _ca(self) -> str:
        given = str(self._connection.extra_dejson.get("ca_cert") or "")
        return pem(self.package_index_conn_id, "ca_cert", given) if given else ""

    def _url(self, connection: Any) -> str:
        host = connection.host or ""
        if not host:
            raise ConfigurationError(
                f"The Connection {self.package_index_conn_id!r} has no host; enter the URL of the "
                "private package index, such as https://host/artifactory/api/pypi/pypi/simple."
            )
        if "@" in host or "?" in host:  # not quoted: the error goes to the logs
            raise ConfigurationError(
                f"The Connection {self.package_index_conn_id!r} has credentials in host; put them "
                "into login and password."
            )
        if "://" in host:
            return str(host)
        port = f":{connection.port}" if connection.port else ""
        server, slash, path = host.partition("/")
        return f"{connection.schema or 'https'}://{server}{port}{slash}{path}"


def pip_configuration(url: str, *, proxy: str, own_ca: bool) -> str:
    """The text of ``pip.conf``, with the private index as the only index.

    pip takes the highest version that any of its indexes has. If pip knew a public index as well,
    a higher version that somebody uploads there would replace a private package.

    :param url: URL of the index, with credentials.
    :param own_ca: whether the build has the secret :data:`recipe.CA_SECRET`.
    """
    parts = urlsplit(url)
    lines = ["[global]", f"index-url = {url}"]
    if parts.scheme == "http":
        lines.append(f"trusted-host = {parts.netloc.rpartition('@')[2]}")
    if proxy:
        lines.append(f"proxy = {proxy}")
    if own_ca:
        lines.append(f"cert = {recipe.SECRETS_FOLDER}/{recipe.CA_SECRET}")
    return "\n".join([*lines, "", "[download]", "no-deps = true", ""])


def uv_configuration(url: str, public_url: str | None) -> str:
    """The text of ``uv.toml``: a package that the private index has comes only from there.

    :param url: URL of the private index, with credentials.
    :param public_url: URL of the public index; None for uv's default.
    """
    text = f'index-strategy = "first-index"\n\n[[index]]\nurl = {json.dumps(url)}\n'
    if public_url:
        text += f"\n[[index]]\nurl = {json.dumps(public_url)}\ndefault = true\n"
    return text


@contextmanager
def _file(text: str) -> Iterator[str | None]:
    """The path of a temporary file with this text; None for empty text."""
    if not text:
        yield None
        return
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(text)
        file.flush()
        yield file.name
