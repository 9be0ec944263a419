"""Files of the Kubernetes components: their folder, kubeconfigs and configuration."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from sandbox.core import pki
from sandbox.core.settings import SETTINGS

HOME = SETTINGS.state / "cluster"
NODE = "manifest-engine"
ADDRESS = SETTINGS.pod_gateway
SERVER = f"https://{ADDRESS}:{SETTINGS.apiserver_port}"


def write_kubeconfig(path: Path, user: str, organization: str | None = None) -> Path:
    """Write a self-contained kubeconfig with a client certificate of the user and group."""
    pair = pki.issue("kube-" + user.replace(":", "-"), common_name=user, organization=organization)

    def inline(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NODE,
        "clusters": [
            {
                "name": NODE,
                "cluster": {
                    "server": SERVER,
                    "certificate-authority-data": inline(pki.authority().certificate),
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": inline(pair.certificate),
                    "client-key-data": inline(pair.key),
                },
            }
        ],
        "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": user}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2))  # JSON is YAML
    return path


def write(name: str, content: object) -> Path:
    """Write a component's configuration file."""
    path = HOME / name
    path.write_text(json.dumps(content, indent=2))
    return path
