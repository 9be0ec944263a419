"""The client survives restarts, limits and expired tokens, and shows no token."""

from __future__ import annotations

import time

import pytest
from manifest_engine.client.credentials import Credentials
from manifest_engine.client.errors import Stopped
from manifest_engine.client.server import Server

from tests.unit.client.api_server import PASSWORD


def statuses(api, path):
    return [method for method, found in api.seen if found.endswith(path)]


def test_a_stream_that_breaks_off_is_resumed_after_the_last_whole_event(api, run, manifest):
    api.cuts = [2, 1]
    done = run("deploy", "--json", manifest)
    assert done.status == 0
    assert api.resumed == ["", "99-running", "01-validate-1-running"]
    names = [(item.get("name"), item["state"]) for item in done.objects if item["event"] == "step"]
    assert len(names) == len(set(names)) == 5


def test_the_client_waits_for_a_server_that_restarts(api, run, manifest, clock):
    api.answers = [(503, {}), (502, {})]
    done = run("deploy", manifest)
    assert done.status == 0
    assert len(api.started) == 1
    assert clock.pauses == [1, 2]
    assert done.err.count("does not answer (HTTP 503)") == 1


def test_the_client_waits_as_long_as_retry_after(api, run, manifest, clock):
    api.answers = [(429, {"Retry-After": "3"})]
    assert run("deploy", manifest).status == 0
    assert clock.pauses == [3]


def test_a_long_limit_is_reported(api, run, manifest):
    api.answers = [(429, {"Retry-After": "60"})]
    done = run("deploy", manifest)
    assert (done.status, done.err) == (4, "Made by the test.\n")


def test_an_unreachable_server_is_reported(run, api, manifest, monkeypatch):
    monkeypatch.setattr("manifest_engine.client.server.PATIENCE_SECONDS", 0.1)
    done = run("deploy", manifest, "--url", "http://127.0.0.1:9")
    assert done.status == 4
    assert done.err == "http://127.0.0.1:9 does not answer: [Errno 111] Connection refused.\n"


def test_a_server_without_the_api_is_reported(run, api, manifest):
    done = run("deploy", manifest, "--url", f"{api.url}/elsewhere")
    assert done.status == 3  # it gives no token
    assert "gave no token to the user 'ada'" in done.err


def test_a_refused_token_is_renewed_once(api, run, manifest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_TOKEN", "opaque")
    assert run("deploy", manifest).status == 0
    assert api.logins == 1


def test_a_token_is_renewed_before_it_expires(api, run, manifest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_TOKEN", api.token(lifetime=30))
    assert run("deploy", manifest).status == 0
    assert api.seen[0] == ("POST", "/auth/token")
    assert api.logins == 1


def test_a_valid_token_is_not_renewed(api, run, manifest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_TOKEN", api.token(lifetime=3600))
    assert run("deploy", manifest).status == 0
    assert api.logins == 0


def test_a_clock_that_is_ahead_causes_one_login(api, run, manifest, monkeypatch):
    now = time.time
    monkeypatch.setattr("manifest_engine.client.credentials.time.time", lambda: now() + 7200)
    assert run("deploy", manifest).status == 0
    assert api.logins == 1


def test_an_expired_token_without_a_password_is_reported(api, run, manifest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_TOKEN", "expired")
    monkeypatch.delenv("AIRFLOW_PASSWORD")
    done = run("deploy", manifest)
    assert done.status == 3
    assert "Set AIRFLOW_TOKEN to a new token" in done.err


def test_a_wrong_password_and_a_missing_login_are_reported(api, run, manifest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_PASSWORD", "wrong")
    done = run("deploy", manifest)
    assert (done.status, len(api.seen)) == (3, 1)
    assert "Check AIRFLOW_USER and AIRFLOW_PASSWORD." in done.err
    monkeypatch.delenv("AIRFLOW_PASSWORD")
    done = run("deploy", manifest)
    assert done.status == 2
    assert "The login is missing: set AIRFLOW_TOKEN" in done.err


def test_a_missing_permission_causes_no_new_login(api, run, manifest):
    api.answers = [(403, {})]
    done = run("deploy", manifest)
    assert (done.status, done.err, api.logins) == (3, "Made by the test.\n", 1)


def test_the_output_contains_no_credential(api, run, manifest, monkeypatch):
    token = api.token()
    monkeypatch.setenv("AIRFLOW_TOKEN", token)
    api.answers = [(500, {}), (401, {})]
    done = run("deploy", "--json", manifest)
    assert done.status == 0
    credentials = Credentials.of({"AIRFLOW_TOKEN": token, "AIRFLOW_PASSWORD": PASSWORD})
    for text in (done.out, done.err, repr(credentials), str(credentials)):
        assert not any(secret in text for secret in (*api.valid, PASSWORD))


def test_a_login_of_netrc_does_not_replace_the_token(api, run, manifest, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert run("deploy", manifest).status == 0


@pytest.mark.parametrize(
    "url",
    ["", "airflow.example.com", "ftp://airflow.example.com", "https://a:b@airflow.example.com"],
)
def test_an_address_must_be_http_and_without_a_login(url):
    with pytest.raises(Stopped, match="address of Airflow without a login"):
        Server(url, Credentials("x", "", ""))


def test_a_redirect_to_a_login_page_is_reported(api, run, manifest):
    api.answers = [(302, {"Location": "https://login.example.com/"})]
    done = run("deploy", manifest)
    assert done.status == 4
    assert f"{api.url} redirects to https://login.example.com/." in done.err
