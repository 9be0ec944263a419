"""The configuration of pip, read back by pip itself, and of uv."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment.environment import PackageIndex
from manifest_engine.hooks.package_index.hook import PackageIndexHook
from pip._internal.configuration import Configuration


def secrets(monkeypatch: pytest.MonkeyPatch, *, mode: str = "only", **fields: Any) -> Any:
    given = {"conn_type": "http", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_INDEX_TEST", json.dumps(given))
    index = PackageIndex.model_validate({"connection": "index_test", "mode": mode})
    return PackageIndexHook("index_test").secrets(index)


def configuration(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> str:
    return str(secrets(monkeypatch, **fields)["pip_conf"])


def read_by_pip(text: str, folder: Path) -> dict[str, str]:
    file = folder / "pip.conf"
    file.write_text(text)
    with patch.dict(os.environ, {"PIP_CONFIG_FILE": str(file)}):
        read = Configuration(isolated=False)
        read.load()
    return dict(read.items())[str(file)]


def test_pip_knows_only_the_private_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = "https://index.example.com/api/pypi/simple"
    for mode in ("only", "first"):
        text = configuration(monkeypatch, mode=mode, host=host, login="robot", password="p")
        assert read_by_pip(text, tmp_path) == {
            "global.index-url": "https://robot:p@index.example.com/api/pypi/simple",
            "download.no-deps": "true",
        }


def test_uv_asks_the_private_index_first(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"host": "https://index.example.com/simple", "login": "robot", "password": 'p"\\'}
    assert "uv_toml" not in secrets(monkeypatch, **fields)
    text = secrets(monkeypatch, mode="first", **fields)["uv_toml"]
    private = {"url": "https://robot:p%22%5C@index.example.com/simple"}
    assert tomllib.loads(text) == {"index-strategy": "first-index", "index": [private]}
    public = "https://mirror.example.com/simple"
    given = {"connection": "index_test", "mode": "first", "publicUrl": public}
    index = PackageIndex.model_validate(given)
    text = PackageIndexHook("index_test").secrets(index)["uv_toml"]
    assert tomllib.loads(text)["index"] == [private, {"url": public, "default": True}]


def test_a_proxy_and_authorities_of_the_index_reach_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, pem = "http://robot:p@proxy.example.com:3128", "-----BEGIN CERTIFICATE-----\nMII\n"
    (tmp_path / "ca.pem").write_text(pem)
    for ca in (pem, str(tmp_path / "ca.pem")):
        extra = {"proxy": proxy, "ca_cert": ca}
        found = secrets(monkeypatch, host="https://index.example.com/simple", extra=extra)
        assert found["index_ca"] == pem
        known = read_by_pip(found["pip_conf"], tmp_path)
        assert known["global.proxy"] == proxy
        assert known["global.cert"] == "/run/secrets/index_ca"


def test_the_error_for_unreadable_authorities_names_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra = {"ca_cert": "/nowhere/ca.pem"}
    with pytest.raises(ConfigurationError, match="'index_test' is neither PEM text nor a file"):
        secrets(monkeypatch, host="https://index.example.com/simple", extra=extra)


def test_a_password_is_quoted_in_the_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = configuration(
        monkeypatch, host="https://index.example.com/simple", login="a@b", password="p:/%@ ü#'"
    )
    known = read_by_pip(text, tmp_path)
    assert known["global.index-url"] == (
        "https://a%40b:p%3A%2F%25%40%20%C3%BC%23%27@index.example.com/simple"
    )


def test_an_index_without_tls_is_a_trusted_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = read_by_pip(configuration(monkeypatch, host="http://index:8083/simple/"), tmp_path)
    assert known["global.trusted-host"] == "index:8083"
    assert known["global.index-url"] == "http://index:8083/simple/"


def test_schema_host_and_port_can_be_separate_fields(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = configuration(monkeypatch, schema="http", host="index/simple", port=8083)
    assert read_by_pip(text, tmp_path)["global.index-url"] == "http://index:8083/simple"


def test_the_error_for_a_missing_connection_says_what_to_add() -> None:
    with pytest.raises(ConfigurationError, match="'index_missing', which does not exist; add it"):
        PackageIndexHook("index_missing").secrets(PackageIndex(connection="index_missing"))


def test_a_connection_without_host_says_what_to_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="'index_test' has no host; enter the URL"):
        configuration(monkeypatch, login="a")


@pytest.mark.parametrize(
    "host",
    [
        "https://robot:hunter2@index.example.com/simple",
        "robot:hunter2@index.example.com/simple",
        "https://robot:hunter2/x@index.example.com/simple",
        "https://index.example.com/simple?token=hunter2",
    ],
)
@pytest.mark.parametrize("ask", [lambda hook: hook.url, PackageIndexHook.require_login])
def test_credentials_in_host_are_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, host: str, ask: Callable[[Any], Any]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INDEX_TEST", json.dumps({"conn_type": "http", "host": host}))
    with pytest.raises(ConfigurationError, match="has credentials in host; put them") as caught:
        ask(PackageIndexHook("index_test"))
    assert "hunter2" not in str(caught.value)
