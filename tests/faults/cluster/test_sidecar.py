"""A mutating webhook adds a container to every pod, as service meshes and agents do."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes import client

from sandbox.core import pki
from tests.faults.spare import NAME, spare_environment

ADDRESS = "127.0.0.1"


class Injector(BaseHTTPRequestHandler):
    """:source: kubernetes.io, "Dynamic Admission Control", AdmissionReview v1."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        image = asked["object"]["spec"]["containers"][0]["image"]
        sidecar = {
            "name": "sidecar",
            "image": image,
            "command": ["sh", "-c", "trap exit TERM; sleep infinity & wait"],
            "securityContext": {"allowPrivilegeEscalation": False},
        }
        patch = [{"op": "add", "path": "/spec/containers/-", "value": sidecar}]
        answer = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": asked["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            },
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: Any) -> None:
        pass


@contextmanager
def injecting(cluster: Any, namespace: str) -> Iterator[None]:
    """Add a second container, which does not end, to every new pod of the namespace."""
    pair = pki.issue("faults-webhook", common_name=ADDRESS, addresses=[ADDRESS])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = ThreadingHTTPServer((ADDRESS, 0), Injector)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = base64.b64encode(pki.authority().certificate.read_bytes()).decode()
    webhook = {
        "name": "sidecars.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": f"https://{ADDRESS}:{server.server_port}/", "caBundle": authority},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
             "resources": ["pods"]}
        ],
    }  # fmt: skip
    admission = client.AdmissionregistrationV1Api(cluster)
    admission.create_mutating_webhook_configuration(
        {"metadata": {"name": namespace}, "webhooks": [webhook]}
    )
    try:
        yield
    finally:
        admission.delete_mutating_webhook_configuration(namespace)
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def spare(cluster, api):
    with spare_environment(cluster, api) as made:
        yield made


def test_a_sidecar_in_every_pod(faults, spare, service, load, cluster):
    expected = (
        "smoke test and rollout judge the service's container alone: a deployment, a redeploy and "
        "a new version succeed, the redeploy replaces no pod; no request fails"
    )
    with faults.case("a mutating webhook that adds a sidecar to every pod", expected) as case:
        target = service("plain-service")
        with injecting(cluster, NAME):
            first = target.deploy(environment=spare.name)
            assert first.ok, f"{first.failed_step}: {first.error}"
            with load(target) as found:
                before = pods(cluster, target)
                again = target.deploy()
                assert again.ok, f"{again.failed_step}: {again.error}"
                assert pods(cluster, target) == before
                source = target.source("plain-service", "second")
                second = target.deploy(source, version="1.1.0")
            assert second.ok, f"{second.failed_step}: {second.error}"
        took = [f"{outcome.seconds} s" for outcome in (first, again, second)]
        case.seen = f"success in {', '.join(took)}; containers per pod: {before.values()}"
        assert set(before.values()) == {2}
        case.load(found)


def pods(cluster: Any, target: Any) -> dict[str, int]:
    """The running pods of a service, with the number of their containers."""
    selector = f"app.kubernetes.io/instance={target.object_name}"
    listed = client.CoreV1Api(cluster).list_namespaced_pod(NAME, label_selector=selector).items
    return {
        pod.metadata.name: len(pod.spec.containers)
        for pod in listed
        if not pod.metadata.deletion_timestamp
    }
