"""The client sends the current token, and renews it once when a request is refused."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import ApiException, Configuration
from manifest_engine.hooks.kubernetes.bearer_client import BearerClient


class Server:
    """Accepts one token, and records the requests."""

    def __init__(self, taken: str) -> None:
        self.taken = taken
        self.seen: list[tuple[str, Any]] = []
        self.status = 401

    def get(self, url: str, **words: Any) -> str:
        token = words["headers"]["authorization"]
        self.seen.append((token, words.get("_request_timeout")))
        if token != f"Bearer {self.taken}":
            error = ApiException(status=self.status)
            error.body = b"{}"
            raise error
        return "answer"

    GET = get


class Wallet:
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.renewals = 0

    def renew(self) -> None:
        self.renewals += 1
        self.tokens.pop(0)


def make(server: Server, wallet: Wallet) -> BearerClient:
    client = BearerClient(
        Configuration(host="https://api.example"),
        token=lambda: wallet.tokens[0],
        renew=wallet.renew,
        refused=lambda: PermissionError("no"),
        unreachable=lambda: None,
    )
    client.rest_client = server
    return client


def call(client: BearerClient) -> Any:
    return client.call_api("/api", "GET", auth_settings=["BearerToken"], _preload_content=False)


def test_every_request_has_the_token_and_a_timeout():
    server = Server("one")
    assert call(make(server, Wallet("one"))) == "answer"
    assert server.seen == [("Bearer one", (10.0, 60.0))]


def test_each_request_uses_the_current_token():
    server, wallet = Server("one"), Wallet("one")
    client = make(server, wallet)
    call(client)
    server.taken = wallet.tokens[0] = "two"
    call(client)
    assert [token for token, _ in server.seen] == ["Bearer one", "Bearer two"]
    assert wallet.renewals == 0


def test_a_refused_token_is_renewed_and_the_request_repeated_once():
    server, wallet = Server("two"), Wallet("one", "two")
    assert call(make(server, wallet)) == "answer"
    assert [token for token, _ in server.seen] == ["Bearer one", "Bearer two"]


def test_a_refused_new_token_is_an_error():
    server, wallet = Server("never"), Wallet("one", "two")
    with pytest.raises(PermissionError):
        call(make(server, wallet))
    assert len(server.seen) == 2


def test_other_refusals_do_not_renew_the_token():
    server, wallet = Server("never"), Wallet("one", "two")
    server.status = 403
    with pytest.raises(ApiException) as caught:
        call(make(server, wallet))
    assert caught.value.status == 403
    assert wallet.renewals == 0
