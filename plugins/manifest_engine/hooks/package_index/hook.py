"""The private Python index of an Airflow Connection, as what pip and uv read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from manifest_engine.domain.build import recipe
from manifest_engine.domain.core.errors import ConfigurationError

if TYPE_CHECKING:
    from manifest_engine.domain.environment.environment import PackageIndex


class PackageIndexHook(BaseHook):
    """A Connection of type ``http`` or ``generic``.

    Host is the index's URL in pip's sense (``https://host/path/simple``), or schema, host and port
    are filled in; login and password, where it wants them: in fields of their own, not in host.
    In the extra: ``proxy``, the URL of a proxy on the way to the index; ``ca_cert``, certificate
    authorities of the index or the proxy beside the usual ones, as PEM text or path.

    :param package_index_conn_id: its id.
    """

    conn_name_attr = "package_index_conn_id"
    default_conn_name = "package_index_default"
    hook_name = "Private Python index"

    def __init__(self, package_index_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.package_index_conn_id = package_index_conn_id

    def secrets(self, index: PackageIndex) -> dict[str, str]:
        """What a build needs to install from the index, by the id of a secret.

        :raises ConfigurationError: when there is no such Connection, or no URL in it, or one with
            credentials, or its authorities cannot be read.
        """
        known = self._with_login
        found = {
            recipe.PIP_SECRET: pip_configuration(known, proxy=self._proxy, own_ca=bool(self._ca))
        }
        if index.mode == "first":
            found[recipe.UV_SECRET] = uv_configuration(known, index.public_url)
        if self._ca:
            found[recipe.CA_SECRET] = self._ca
        return found

    @property
    def url(self) -> str:
        """The URL of the index, without credentials."""
        return self._url(self._connection)

    def require_login(self) -> None:
        """For a failure to be told well: pip calls a package that it may not see "not found".

        :raises ConfigurationError: when the index refuses the login; any other trouble is not ours
            to tell, since the builder may reach what this worker does not.
        """
        import requests

        url, proxy = self.url, self._proxy
        auth = (self._connection.login or "", self._connection.password or "")
        try:
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
                status = answer.status_code  # all that counts: the body is not read
        except requests.RequestException:
            return
        if status in (401, 403):
            raise ConfigurationError(
                f"The package index of the Connection {self.package_index_conn_id!r} ({url}) "
                f"refused the login (HTTP {status}); correct its login and password."
            )

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
    def _with_login(self) -> str:
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
        if not given or "-----BEGIN" in given:
            return given
        try:
            return Path(given).read_text()
        except OSError as error:
            raise ConfigurationError(
                f"ca_cert in the extra of the Connection {self.package_index_conn_id!r} is neither "
                f"PEM text nor a file that can be read ({error.strerror})."
            ) from None

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


def pip_configuration(url: str, *, proxy: str, own_ca: bool) -> str:
    """What pip reads: the index alone, for every package.

    pip takes the highest version that any of its indexes has. With a second index, whoever uploads
    a higher version there replaces a private package.

    :param url: of the index, with credentials.
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
    """What uv reads: a name that the private index has comes from there alone.

    :param url: of the private index, with credentials.
    :param public_url: of the public one; None for uv's own default.
    """
    text = f'index-strategy = "first-index"\n\n[[index]]\nurl = {json.dumps(url)}\n'
    if public_url:
        text += f"\n[[index]]\nurl = {json.dumps(public_url)}\ndefault = true\n"
    return text


@contextmanager
def _file(text: str) -> Iterator[str | None]:
    """The path of a file with this text; None without text."""
    if not text:
        yield None
        return
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(text)
        file.flush()
        yield file.name
