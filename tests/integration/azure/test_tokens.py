"""Tokens expire: the API server refuses them, and the hook replaces them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import requests
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

from tests.integration.azure.conftest import Make
from tests.integration.azure.directories import Directory

END_SECONDS = 40.0
"""Time limit until a token of 6 s is refused; API servers cache valid tokens for 10 s."""


def refused_in_time(hook: ClusterHook, token: str) -> None:
    """Wait until the API server refuses the token."""
    end = time.monotonic() + END_SECONDS
    client = hook.api_client
    while time.monotonic() < end:
        answer = requests.get(
            f"{hook.api.url}/api",
            headers={"Authorization": f"Bearer {token}"},
            verify=client.configuration.ssl_ca_cert,
            timeout=5,
        )
        if answer.status_code == 401:
            return
        time.sleep(0.5)
    pytest.fail(f"The API server still accepts the token after {END_SECONDS:.0f} s.")


def token_of(hook: ClusterHook) -> str:
    return str(hook.api_client.configuration.get_api_key_with_prefix("BearerToken")).split()[1]


def test_an_expired_token_is_renewed(
    connect: Make, short_lived: Directory, aks_namespace: str
) -> None:
    hook = ClusterHook(connect(extra={"authority": short_lived.authority}))
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    refused_in_time(hook, first := token_of(hook))
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    assert token_of(hook) != first


def test_a_token_refused_before_its_time_is_replaced(
    connect: Make, revoked_early: Directory, aks_namespace: str
) -> None:
    hook = ClusterHook(connect(extra={"authority": revoked_early.authority}))
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    first = token_of(hook)
    refused_in_time(hook, first)
    assert token_of(hook) == first, "azure-identity would have renewed it by itself"
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    assert (
        hook.core_v1_client.list_namespaced_pod(aks_namespace, label_selector="nobody=there").items
        == []
    )
    assert token_of(hook) != first


def test_a_watch_outlives_its_token_and_the_next_watch_has_a_new_token(
    connect: Make, revoked_early: Directory, aks_namespace: str, deployment: str, kube: Any
) -> None:
    hook = ClusterHook(connect(extra={"authority": revoked_early.authority}))
    where = ("apps/v1", "Deployment", deployment, aks_namespace)
    events = hook.watch(*where, seconds=END_SECONDS)
    generation = next(events)[1]["metadata"]["generation"]
    refused_in_time(hook, token_of(hook))
    kube("scale", "deployment", deployment, "--replicas=0", "-n", aks_namespace)
    patch = json.dumps({"spec": {"minReadySeconds": 1}})
    kube("patch", "deployment", deployment, "-n", aks_namespace, "-p", patch)
    assert any(seen["metadata"]["generation"] > generation for _, seen in events)
    kind, seen = next(hook.watch(*where, seconds=5))
    assert (kind, seen["metadata"]["name"]) == ("ADDED", deployment)


def test_the_trigger_waits_beyond_the_end_of_its_token(
    connect: Make, revoked_early: Directory, aks_namespace: str, deployment: str, kube: Any
) -> None:
    from manifest_engine.operators.workload.rollout_trigger import RolloutTrigger

    live = ClusterHook("kubernetes_default").get("apps/v1", "Deployment", deployment, aks_namespace)
    assert live is not None
    trigger = RolloutTrigger(
        conn_id=connect(extra={"authority": revoked_early.authority}),
        namespace=aks_namespace,
        name=deployment,
        generation=live["metadata"]["generation"] + 1,
        deadline=time.time() + END_SECONDS,
        run_id="aks-tests",
        requested_by="tester",
    )

    async def change_later() -> None:
        await asyncio.sleep(20)
        patch = json.dumps({"spec": {"minReadySeconds": 2}})
        await asyncio.to_thread(
            kube, "patch", "deployment", deployment, "-n", aks_namespace, "-p", patch
        )

    async def wait() -> Any:
        change = asyncio.create_task(change_later())
        async for event in trigger.run():
            await change
            return event.payload
        return None

    assert asyncio.run(wait()) == {"state": "settled"}
