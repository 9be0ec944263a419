"""Requests to a pod through the API server's pod proxy."""

from types import SimpleNamespace

import pytest
from manifest_engine.domain.smoke.answer import Request
from manifest_engine.hooks.kubernetes import pod_proxy
from manifest_engine.hooks.kubernetes.api_server import ApiServer, reading_once
from manifest_engine.hooks.kubernetes.errors import Forbidden, NotFound
from manifest_engine.hooks.route import public_url

from tests.unit.hooks.kubernetes.api_server_double import serving

POD = {"metadata": {"name": "p", "namespace": "apps"}, "status": {"podIP": "10.0.0.9"}}


def answer(status, body=b"", *headers):
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def get(client, *, seconds=2.0, pod=POD):
    reading_once(client)
    hook = SimpleNamespace(api=ApiServer(client), api_client=client)
    return pod_proxy.get(hook, pod, Request(8002, "/health?deep=1", seconds))


def test_the_pod_is_asked_as_the_kubelet_asks_it():
    asked: list[bytes] = []
    with serving(answer(200, b"fine"), asked=asked) as client:
        found = get(client)
    assert (found.status, found.body) == (200, "fine")
    sent = asked[0].decode()
    assert sent.startswith("GET /api/v1/namespaces/apps/pods/p:8002/proxy/health?deep=1 HTTP/1.1")
    assert "Host: 10.0.0.9:8002" in sent
    assert "User-Agent: kube-probe/" in sent


def test_a_redirect_is_not_followed_since_it_could_lead_to_the_api_server_with_our_token():
    asked: list[bytes] = []
    target = "Location: /api/v1/namespaces/apps/secrets/db"
    with serving(answer(302, b"", target), asked=asked) as client:
        found = get(client)
    assert (found.status, found.location) == (302, "/api/v1/namespaces/apps/secrets/db")
    assert len(asked) == 1


def test_a_late_answer_is_reported_as_a_timeout():
    with serving(b"", hang=True) as client:
        found = get(client, seconds=0.3)
    assert (found.status, found.timed_out, found.problem) == (None, True, "no answer in 0.3 s")


# As recorded from kube-apiserver 1.36.
STATUS = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"'
FORBIDDEN = (
    STATUS + b'pods \\"p\\" is forbidden: User \\"u\\" cannot get resource \\"pods/proxy\\" in API '
    b'group \\"\\" in the namespace \\"apps\\"","reason":"Forbidden","details":{"name":"p",'
    b'"kind":"pods"},"code":403}\n'
)
GONE = (
    STATUS + b'pods \\"p\\" not found","reason":"NotFound","details":{"name":"p","kind":"pods"},'
    b'"code":404}\n'
)


@pytest.mark.parametrize(
    ("status", "body", "error"), [(403, FORBIDDEN, Forbidden), (404, GONE, NotFound)]
)
def test_a_refusal_of_the_api_server_is_no_answer_of_the_service(monkeypatch, status, body, error):
    monkeypatch.setattr(ApiServer, "_is_ready", lambda _: True)
    with serving(answer(status, body)) as client, pytest.raises(error):
        get(client)


@pytest.mark.parametrize("body", [b"log in first", b'{"kind":"Status","reason":"Forbidden"}'])
def test_the_services_own_refusal_is_an_answer(body):
    for status in (401, 403, 404):
        with serving(answer(status, body)) as client:
            assert get(client).status == status


def test_an_address_of_ip_version_6_is_written_in_brackets():
    asked: list[bytes] = []
    with serving(answer(200), asked=asked) as client:
        get(client, pod=POD | {"status": {"podIP": "fd00::9"}})
    assert "Host: [fd00::9]:8002" in asked[0].decode()


def test_as_much_of_the_body_is_read_as_by_the_check_of_the_public_url():
    assert pod_proxy.BODY_MAX == public_url.BODY_MAX == 1024 * 1024
