"""The fields of an aks Connection, and the errors for refusals of Azure."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from manifest_engine.domain.core.errors import ClusterError, ConfigurationError
from manifest_engine.hooks.azure import arm
from manifest_engine.hooks.azure import identity as azure_identity
from manifest_engine.hooks.azure.identity import AzureIdentity
from manifest_engine.hooks.kubernetes.aks import AksHook

WHERE = {"subscription_id": "s", "resource_group": "g", "cluster_name": "c"}


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(extra: dict[str, Any], **top: Any) -> AksHook:
        given = {"conn_type": "aks", "login": "me", "password": "hidden-secret", **top}
        monkeypatch.setenv("AIRFLOW_CONN_MY_AKS", json.dumps({**given, "extra": extra}))
        return AksHook("my_aks")

    return make


def test_the_resource_id_has_the_format_of_azure(hook: Any):
    assert str(hook(WHERE).cluster) == (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
    )


def test_empty_fields_of_the_form_count_as_missing(hook: Any):
    with pytest.raises(ConfigurationError, match="'my_aks' has no resource_group, cluster_name"):
        hook({**WHERE, "resource_group": "", "cluster_name": None}).cluster  # noqa: B018


def test_the_default_identity_is_a_service_principal(hook: Any):
    ok, message = hook(WHERE).test_connection()
    assert not ok
    assert "needs tenant_id in its extra" in message


def test_the_error_for_an_unknown_identity_lists_the_known_ones(hook: Any):
    _, message = hook({**WHERE, "auth": "password"}).test_connection()
    assert "service_principal, managed_identity, workload_identity" in message


class Credential:
    """Raises the given error, as azure-identity does."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.before: Any = lambda: None

    def get_token(self, scope: str) -> Any:
        self.before()
        raise self.error


def refusal(error: Exception, status: int | None = None) -> ClusterError:
    """The error of the identity.

    :param status: of the answer before the error; azure-identity's error does not have it.
    """
    extra = {"auth": "service_principal", "tenant_id": "t"}
    identity = AzureIdentity("my_aks", login="me", password="hidden-secret", extra=extra)
    credential = Credential(error)
    identity._credential = credential
    if status is not None:
        answer = SimpleNamespace(http_response=SimpleNamespace(status_code=status))
        credential.before = lambda: identity._transport["raw_response_hook"](answer)
    with pytest.raises(ClusterError) as caught:
        identity.token("app/.default")
    return caught.value


def test_the_first_sentence_of_entra_id_is_quoted_with_the_ids_for_microsofts_support():
    refused = refusal(
        ClientAuthenticationError(
            "Authentication failed: AADSTS7000215: Invalid client secret provided. Ensure the "
            "secret being sent in the request is the client secret value. Trace ID: 1 "
            "Correlation ID: 2 Timestamp: 3"
        )
    )
    assert str(refused) == (
        "Entra ID gives the identity of the Connection 'my_aks' (client me, tenant t) no token for "
        "app: AADSTS7000215: Invalid client secret provided (trace id 1, correlation id 2)."
    )
    assert not refused.retryable


def test_a_network_error_can_be_retried():
    outer = ClientAuthenticationError("Authentication failed: connection refused")
    outer.__cause__ = ServiceRequestError("connection refused")
    assert refusal(outer).retryable


def test_an_untrusted_certificate_is_not_retried():
    assert not refusal(ServiceRequestError("[SSL: CERTIFICATE_VERIFY_FAILED] no")).retryable


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (429, True), (503, True)])
def test_only_temporary_errors_of_entra_id_can_be_retried(status: int, retryable: bool):
    assert refusal(ClientAuthenticationError("no"), status).retryable is retryable


def test_links_in_messages_of_azure_identity_are_removed():
    text = (
        "Not configured. See the troubleshooting guide for more information: https://a/b. Field x"
    )
    assert azure_identity._message(ValueError(text)) == "Not configured. Field x"


@pytest.mark.parametrize(("status", "retryable"), [(409, False), (429, True), (504, True)])
def test_only_temporary_errors_of_arm_can_be_retried(status: int, retryable: bool):
    error = SimpleNamespace(
        status_code=status,
        error=SimpleNamespace(code="SomeCode", message="It is so. More words."),
        message="",
    )
    identity = AzureIdentity("my_aks", login="me", password=None, extra={})
    refused = arm._refusal(arm.ManagedCluster("s", "g", "c"), identity, error)
    assert refused.retryable is retryable
    assert str(refused).endswith("managedClusters/c (SomeCode): It is so.")


def test_an_error_of_arm_has_the_correlation_id_and_names_disabled_local_accounts():
    error = SimpleNamespace(
        status_code=400,
        error=SimpleNamespace(
            code="BadRequest",
            message="Getting static credential is not allowed because this cluster is set to "
            "disable local accounts.",
        ),
        message="",
        response=SimpleNamespace(headers={"x-ms-correlation-request-id": "c-1"}),
    )
    identity = AzureIdentity("my_aks", login="me", password=None, extra={})
    refused = str(arm._refusal(arm.ManagedCluster("s", "g", "c"), identity, error))
    assert "(BadRequest, correlation id c-1): enable AKS-managed Entra ID" in refused


@pytest.mark.parametrize(("after", "retried"), [("1", True), ("600", False)])
def test_azure_is_asked_again_only_after_a_short_retry_after(after: str, retried: bool):
    from manifest_engine.hooks.azure.entra import bounded_retries

    policy = bounded_retries()(retry_total=3)
    http = SimpleNamespace(status_code=429, headers={"Retry-After": after})
    request = SimpleNamespace(http_request=SimpleNamespace(method="POST"))
    response = SimpleNamespace(http_response=http, http_request=request.http_request)
    settings = policy.configure_retries({})
    assert policy.is_retry(settings, response) is retried


ENTRA = {
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {"exec": {"command": "kubelogin", "args": []}}}],
}
LOCAL = ENTRA | {"users": [{"name": "u", "user": {"token": "t"}}]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[str]:
    """The clusters that ARM was asked for; ``asked.answer`` is what it says."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found: list[str] = []

    def answer(_: Any, cluster: Any, identity: Any) -> bytes:
        found.append(f"{cluster.name} for {identity.client}")
        return json.dumps(LOCAL if cluster.name == "local" else ENTRA).encode()

    monkeypatch.setattr(arm.ResourceManager, "user_kubeconfig", answer)
    monkeypatch.setattr(AzureIdentity, "token", lambda *_: "token")
    return found


AAD = WHERE | {"tenant_id": "t"}


def test_arm_is_asked_once_an_hour_for_a_cluster_and_an_identity(hook: Any, asked: list[str]):
    for _ in range(3):
        hook(AAD).get_conn()
    hook(AAD, login="other").get_conn()
    assert asked == ["c for me", "c for other"]


def test_an_old_kubeconfig_is_not_used(hook: Any, asked: list[str], tmp_path: Any):
    import os

    hook(AAD).get_conn()
    for file in tmp_path.rglob("*.yaml"):
        os.utime(file, (1, 1))
    hook(AAD).get_conn()
    assert len(asked) == 2


def test_a_kubeconfig_with_a_local_account_is_not_written_to_disk(
    hook: Any, asked: list[str], tmp_path: Any
):
    hook(AAD | {"cluster_name": "local"}).get_conn()
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_folder_that_others_can_write_is_not_used(hook: Any, asked: list[str], tmp_path: Any):
    import os

    folder = tmp_path / f"manifest-engine-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    for _ in range(2):
        hook(AAD).get_conn()
    assert len(asked) == 2
    assert not list(folder.iterdir())


def test_arm_is_asked_anew_after_the_api_server_could_not_be_reached(hook: Any, asked: list[str]):
    from urllib3.exceptions import MaxRetryError

    client = hook(AAD).get_conn()
    with pytest.raises(MaxRetryError):
        client.call_api("/version", "GET", _request_timeout=(0.2, 0.2))
    hook(AAD).get_conn()
    assert len(asked) == 2


def test_the_test_of_a_connection_asks_arm(hook: Any, asked: list[str]):
    hook(AAD).get_conn()
    ok, _ = hook(AAD).test_connection()
    assert not ok  # nothing listens there
    assert len(asked) == 2


CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    ', error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRy'
    'dWUsInZhbHVlIjoiY3AxIn19fQ=="'
)
"""The example of learn.microsoft.com/entra/identity-platform/claims-challenge."""


class Claimed:
    """A credential that records the claims of each request."""

    def __init__(self) -> None:
        self.claims: list[str | None] = []

    def get_token(self, *_: str, claims: str | None = None, **__: Any) -> Any:
        self.claims.append(claims)
        return SimpleNamespace(token="token", expires_on=4_000_000_000)


def arm_that_challenges(monkeypatch: pytest.MonkeyPatch, times: int) -> AzureIdentity:
    import base64
    import io

    import requests
    from manifest_engine.hooks.core import http_answers
    from urllib3 import HTTPResponse

    answers = [(401, {"WWW-Authenticate": CHALLENGE}, {"error": {"code": "Invalid"}})] * times
    value = base64.b64encode(json.dumps(ENTRA).encode()).decode()
    answers.append((200, {}, {"kubeconfigs": [{"name": "clusterUser", "value": value}]}))

    def send(*_: Any, **__: Any) -> requests.Response:
        status, headers, body = answers.pop(0)
        made = requests.Response()
        given = {"Content-Type": "application/json", **headers}
        content = io.BytesIO(json.dumps(body).encode())
        made.status_code = status
        made.headers.update(given)
        made.raw = HTTPResponse(content, given, status, preload_content=False)
        return made

    session = requests.Session()
    session.request = send  # type: ignore[method-assign]
    monkeypatch.setattr(http_answers, "session", lambda: session)
    identity = AzureIdentity("my_aks", login="me", password=None, extra={"tenant_id": "t"})
    identity._credential = Claimed()
    return identity


def test_a_claims_challenge_is_answered_with_a_token_that_has_the_claims(
    monkeypatch: pytest.MonkeyPatch,
):
    identity = arm_that_challenges(monkeypatch, 1)
    found = arm.ResourceManager().user_kubeconfig(arm.ManagedCluster("s", "g", "c"), identity)
    assert json.loads(found) == ENTRA
    assert identity.credential.claims[-1] == (
        '{"access_token":{"acrs":{"essential":true,"value":"cp1"}}}'
    )


def test_a_repeated_claims_challenge_names_conditional_access(monkeypatch: pytest.MonkeyPatch):
    identity = arm_that_challenges(monkeypatch, 2)
    with pytest.raises(ClusterError, match="a Conditional Access policy") as caught:
        arm.ResourceManager().user_kubeconfig(arm.ManagedCluster("s", "g", "c"), identity)
    assert not caught.value.retryable
