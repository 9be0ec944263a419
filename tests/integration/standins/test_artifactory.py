"""Behaviour of Artifactory that a client may rely on, and faults that a client must survive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.integration.servers import free_port
from tests.integration.standins.conftest import running

DATA = bytes(range(256)) * 8192
PATH = "artifactory/datafactory/quotes/quote-service-1.0.0.zip"


class Client(requests.Session):
    """Sends requests with one user's token to one server."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.request(method, f"{self.url}/{path}", timeout=10, **options)


@pytest.fixture(scope="module")
def tokens(accounts: dict[str, Any]) -> dict[str, str]:
    return {user["name"]: user["token"] for user in accounts["users"]}


@pytest.fixture(scope="module")
def servers(
    accounts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """URLs of a server without faults and of a server with ``--faults``."""
    folder = tmp_path_factory.mktemp("artifactory")
    (folder / "accounts.json").write_text(json.dumps(accounts))
    good, bad = free_port(), free_port()
    words = ("--accounts", folder / "accounts.json", "--root")
    with (
        running("artifactory.server", good, *words, folder / "good"),
        running("artifactory.server", bad, *words, folder / "bad", "--faults"),
    ):
        yield f"http://127.0.0.1:{good}", f"http://127.0.0.1:{bad}"


@pytest.fixture
def deployer(servers: tuple[str, str], tokens: dict[str, str]) -> Iterator[Client]:
    client = Client(servers[0], tokens["deployer"])
    yield client
    client.ask("DELETE", "artifactory/datafactory/quotes")


@pytest.fixture
def faulty(servers: tuple[str, str], tokens: dict[str, str]) -> Iterator[Client]:
    """A client of the server with faults, which already has the file."""
    client = Client(servers[1], tokens["deployer"])
    assert client.ask("PUT", PATH, data=DATA).status_code == 201
    yield client
    client.ask("DELETE", "faults")


def test_a_deployed_file_is_returned_with_its_checksums(deployer: Client) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    put = deployer.ask("PUT", PATH, data=DATA, headers={"X-Checksum-Sha256": digest})
    assert put.status_code == 201
    got = deployer.ask("GET", PATH)
    assert got.content == DATA
    assert got.headers["X-Checksum-Sha256"] == digest
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["ETag"] == hashlib.sha1(DATA).hexdigest(), "without quotes"
    info = deployer.ask("GET", PATH.replace("artifactory/", "artifactory/api/storage/")).json()
    assert info["size"] == str(len(DATA))
    assert info["checksums"]["sha256"] == digest
    assert deployer.ask("GET", info["downloadUri"].removeprefix(deployer.url + "/")).ok
    head = deployer.ask("HEAD", PATH)
    assert (head.headers["Content-Length"], head.content) == (str(len(DATA)), b"")


def test_a_wrong_checksum_is_a_conflict_and_the_file_is_discarded(deployer: Client) -> None:
    refused = deployer.ask("PUT", PATH, data=DATA, headers={"X-Checksum-Sha256": "0" * 64})
    assert refused.status_code == 409
    assert "Checksum error" in refused.json()["errors"][0]["message"]
    assert deployer.ask("GET", PATH).status_code == 404


@pytest.mark.parametrize(
    ("asked", "first", "length"),
    [("bytes=100-", 100, len(DATA) - 100), ("bytes=5-9", 5, 5), ("bytes=-7", len(DATA) - 7, 7)],
)
def test_a_range_request_returns_the_range(
    deployer: Client, asked: str, first: int, length: int
) -> None:
    deployer.ask("PUT", PATH, data=DATA)
    part = deployer.ask("GET", PATH, headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == DATA[first : first + length]
    assert part.headers["Content-Range"] == f"bytes {first}-{first + length - 1}/{len(DATA)}"


def test_a_range_beyond_the_end_is_refused(deployer: Client) -> None:
    deployer.ask("PUT", PATH, data=DATA)
    refused = deployer.ask("GET", PATH, headers={"Range": f"bytes={len(DATA)}-"})
    assert refused.status_code == 416
    assert refused.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_if_range_with_another_version_returns_the_whole_file(deployer: Client) -> None:
    deployer.ask("PUT", PATH, data=DATA)
    headers = {"Range": "bytes=100-", "If-Range": deployer.ask("HEAD", PATH).headers["ETag"]}
    assert deployer.ask("GET", PATH, headers=headers).status_code == 200, "the ETag has no quotes"
    headers["If-Range"] = deployer.ask("HEAD", PATH).headers["Last-Modified"]
    assert deployer.ask("GET", PATH, headers=headers).status_code == 206


def test_without_credentials_nothing_is_returned(deployer: Client) -> None:
    nobody = requests.get(f"{deployer.url}/{PATH}", timeout=5)
    assert nobody.status_code == 401
    assert "Basic" in nobody.headers["WWW-Authenticate"]
    ping = f"{deployer.url}/artifactory/api/system/ping"
    assert requests.get(ping, timeout=5).status_code == 401
    assert deployer.ask("GET", "artifactory/api/system/ping").text == "OK"
    wrong = Client(deployer.url, "wrong").ask("GET", PATH)
    assert (wrong.status_code, wrong.json()["errors"][0]["status"]) == (401, 401)


def test_basic_authentication_accepts_the_password_and_the_token(
    deployer: Client, accounts: dict[str, Any]
) -> None:
    reader = accounts["users"][1]
    for word, status in ((reader["password"], 404), (reader["token"], 404), ("no", 401)):
        answer = requests.get(f"{deployer.url}/{PATH}", auth=(reader["name"], word), timeout=5)
        assert answer.status_code == status


def test_a_reader_cannot_write_or_read_restricted_files(
    deployer: Client, tokens: dict[str, str]
) -> None:
    reader = Client(deployer.url, tokens["reader"])
    assert reader.ask("PUT", PATH, data=b"").status_code == 403
    assert reader.ask("GET", PATH.replace("datafactory", "restricted")).status_code == 403


def test_a_missing_file_has_the_real_error_document(deployer: Client) -> None:
    missing = deployer.ask("GET", PATH.replace("artifactory/", "artifactory/api/storage/"))
    assert missing.status_code == 404
    assert missing.json() == {"errors": [{"status": 404, "message": "Unable to find item"}]}


def test_a_folder_lists_its_children(deployer: Client) -> None:
    deployer.ask("PUT", PATH, data=DATA)
    folder = deployer.ask("GET", "artifactory/api/storage/datafactory/quotes").json()
    assert folder["children"] == [{"uri": "/quote-service-1.0.0.zip", "folder": False}]


def test_a_path_cannot_leave_its_repository(deployer: Client) -> None:
    answer = deployer.ask("GET", "artifactory/datafactory/%2e%2e/%2e%2e/accounts.json")
    assert answer.status_code in {400, 404}
    assert "token" not in answer.text


def test_faults_cannot_be_set_on_an_ordinary_server(deployer: Client) -> None:
    assert deployer.ask("PUT", "faults", json={"lie": True}).status_code == 404


def test_an_interrupted_download_can_be_resumed(faulty: Client) -> None:
    faulty.ask("PUT", "faults", json={"cut_after": 300_000, "cut_times": 1})
    blocks: list[bytes] = []
    answer = faulty.ask("GET", PATH, stream=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        blocks.extend(answer.iter_content(1000))
    got = b"".join(blocks)
    assert 0 < len(got) <= 300_000
    rest = faulty.ask("GET", PATH, headers={"Range": f"bytes={len(got)}-"})
    assert got + rest.content == DATA


def test_a_redirect_leads_to_another_host_that_refuses_credentials(faulty: Client) -> None:
    faulty.ask("PUT", "faults", json={"redirect": True})
    answer = faulty.ask("GET", PATH, allow_redirects=False)
    assert answer.status_code == 302
    target = answer.headers["Location"]
    assert target.startswith("http://localhost:")
    assert requests.get(target, timeout=5).content == DATA
    assert faulty.get(target, timeout=5).status_code == 400
    assert requests.get(target + "0", timeout=5).status_code == 403


@pytest.fixture
def hook(servers: tuple[str, str], tokens: dict[str, str], monkeypatch: Any) -> Any:
    """Our hook on the server with faults; ``answered`` has range and status of each request."""
    from manifest_engine.hooks.artifactory.hook import ArtifactoryHook

    given = {"conn_type": "artifactory", "host": f"{servers[1]}/artifactory"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_ARTIFACTORY_DEFAULT", json.dumps(given | {"password": tokens["reader"]})
    )
    hook = ArtifactoryHook()
    hook.answered = []

    def note(answer: requests.Response, **_: Any) -> None:
        hook.answered.append((answer.request.headers.get("Range"), answer.status_code))

    hook.client.session.hooks["response"].append(note)
    return hook


def _downloaded(hook: Any) -> bytes:
    return b"".join(hook.download(hook.file_info(PATH.removeprefix("artifactory/"))))


@pytest.mark.parametrize("redirect", [False, True])
def test_our_hook_resumes_an_interrupted_download(
    faulty: Client, hook: Any, redirect: bool
) -> None:
    half = len(DATA) // 2
    plan = {"cut_after": half, "cut_times": 1, "redirect": redirect}
    faulty.ask("PUT", "faults", json=plan)

    assert _downloaded(hook) == DATA
    ranges = [asked for asked, status in hook.answered if status == 206]
    assert len(ranges) == 1
    assert half - (1 << 17) <= int(ranges[0].removeprefix("bytes=").rstrip("-")) <= half


def test_our_hook_starts_again_where_announced_ranges_are_ignored(
    faulty: Client, hook: Any
) -> None:
    faulty.ask("PUT", "faults", json={"cut_after": 500_000, "cut_times": 1, "ignore_range": True})

    assert _downloaded(hook) == DATA


def test_our_hook_waits_for_the_rate_limit_and_downloads_from_a_remote_repository(
    faulty: Client, hook: Any
) -> None:
    faulty.ask("PUT", "faults", json={"throttled": 1, "uncached": True})

    assert _downloaded(hook) == DATA
    assert [status for _, status in hook.answered] == [429, 404, 200, 200, 200]


def test_our_hook_pings_with_credentials(hook: Any) -> None:
    assert hook.test_connection() == (True, "Artifactory answers 'OK'")


def test_wrong_checksums_ignored_ranges_and_outages_are_injected(faulty: Client) -> None:
    faulty.ask("PUT", "faults", json={"lie": True, "ignore_range": True, "unavailable": 1})
    assert faulty.ask("GET", PATH).status_code == 503
    answer = faulty.ask("GET", PATH, headers={"Range": "bytes=10-"})
    assert answer.status_code == 200
    assert answer.headers["X-Checksum-Sha256"] != hashlib.sha256(answer.content).hexdigest()
