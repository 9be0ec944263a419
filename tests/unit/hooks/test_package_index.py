"""The private index as a pip configuration, read back by pip itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from manifest_engine.domain.errors import ConfigurationError
from manifest_engine.hooks.package_index import PackageIndexHook


def configuration(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> str:
    given = {"conn_type": "http", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_INDEX_TEST", json.dumps(given))
    return PackageIndexHook("index_test").pip_configuration()


def read_by_pip(text: str, folder: Path) -> dict[str, str]:
    file = folder / "pip.conf"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={"PIP_CONFIG_FILE": str(file), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.partition("=") for line in done.stdout.splitlines() if "." in line)
    return {key: value.strip("'") for key, _, value in lines if not key.startswith(":env:")}


def test_pip_installs_from_both_and_downloads_from_the_private_one_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = configuration(
        monkeypatch, host="https://index.example.com/api/pypi/simple", login="robot", password="p"
    )
    known = read_by_pip(text, tmp_path)
    url = "https://robot:p@index.example.com/api/pypi/simple"
    assert known["global.extra-index-url"] == url
    assert "global.index-url" not in known
    assert known["download.index-url"] == url
    assert known["download.extra-index-url"] == ""
    assert known["download.no-deps"] == "true"
    assert "global.trusted-host" not in known


def test_a_password_survives_url_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = configuration(
        monkeypatch, host="https://index.example.com/simple", login="a@b", password="p:/%@ ü#'"
    )
    known = read_by_pip(text, tmp_path)
    assert known["global.extra-index-url"] == (
        "https://a%40b:p%3A%2F%25%40%20%C3%BC%23%27@index.example.com/simple"
    )


def test_an_index_without_tls_is_trusted_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = read_by_pip(configuration(monkeypatch, host="http://index:8083/simple/"), tmp_path)
    assert known["global.trusted-host"] == "index:8083"
    assert known["global.extra-index-url"] == "http://index:8083/simple/"


def test_schema_host_and_port_may_be_fields_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = configuration(monkeypatch, schema="http", host="index/simple", port=8083)
    assert read_by_pip(text, tmp_path)["global.extra-index-url"] == "http://index:8083/simple"


def test_a_connection_that_is_not_there_says_what_to_add() -> None:
    with pytest.raises(ConfigurationError, match="'index_missing', which does not exist; add it"):
        PackageIndexHook("index_missing").pip_configuration()


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
@pytest.mark.parametrize("ask", ["pip_configuration", "require_login"])
def test_credentials_in_host_are_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, host: str, ask: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INDEX_TEST", json.dumps({"conn_type": "http", "host": host}))
    with pytest.raises(ConfigurationError, match="has credentials in host; put them") as caught:
        getattr(PackageIndexHook("index_test"), ask)()
    assert "hunter2" not in str(caught.value)
