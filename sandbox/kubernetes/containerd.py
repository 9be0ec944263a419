"""The containerd that runs the cluster's pods.

Files, socket and images are separate from any other containerd on the machine.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from sandbox.core import process
from sandbox.core.part import Part, wait_until
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import binary as cluster_binary
from sandbox.kubernetes import oci_archive
from sandbox.machine import mounts

HOME = SETTINGS.state / "containerd"
SOCKET = HOME / "containerd.sock"
PAUSE = "sandbox.invalid/pause:1"
"""A name that cannot be pulled, because the image is imported."""
_NETWORK = "manifest-engine"
_RESULTS = Path("/var/lib/cni/results")
"""Where containerd's CNI library records pod networks. The place cannot be configured."""


class Containerd(Part):
    """Runs pods for kubelet over CRI."""

    name = "containerd"
    needs = ("packages", "network", "cluster-binary")

    def where(self) -> str:
        return "" if SETTINGS.kubeconfig else str(SOCKET)

    def ready(self) -> str | None:
        if SETTINGS.kubeconfig:
            return None
        if problem := process.require_alive(self.name):
            return problem
        names = ctr("images", "list", "--quiet").stdout.split()
        return None if PAUSE in names else "the pause image is not imported yet"

    def start(self) -> None:
        if SETTINGS.kubeconfig:
            return
        HOME.mkdir(parents=True, exist_ok=True)
        _write_network()
        _write_registry()
        config = HOME / "config.toml"
        config.write_text(_config())
        # If the registry lacks a tag, containerd asks the default server, without hosts.toml. With
        # this bundle, the error names the missing tag and not the certificate.
        trust = {"SSL_CERT_FILE": str(SETTINGS.ca_bundle)}
        process.start(self.name, ["containerd", "--config", config], env=trust)
        wait_until(self._answers, 30, self.name)
        archive = HOME / "pause.tar"
        oci_archive.write(archive, PAUSE, cluster_binary.folder() / "pause")
        run(_ctr("images", "import", archive), what="importing the pause image")

    def _answers(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        return ctr("plugins", "list").stderr.strip() or None

    def stop(self) -> None:
        kill_pods()
        process.stop(self.name)
        mounts.remove(HOME)
        _forget_pod_networks()
        for folder in ("s", "fifo", ""):  # shims use this place, which cannot be configured
            mounts.remove_if_empty(Path("/run/containerd") / folder)


def ctr(*words: str) -> subprocess.CompletedProcess[str]:
    """Run containerd's client in the namespace of the pods."""
    argv = [str(word) for word in _ctr(*words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)


def _ctr(*words: str | Path) -> list[str | Path]:
    return ["ctr", "--address", SOCKET, "--namespace", "k8s.io", *words]


def kill_pods() -> None:
    """Kill every container, also without a running containerd."""
    process.kill_shims(lambda words: str(SOCKET) in words)
    for socket in _shim_sockets():
        socket.unlink(missing_ok=True)


def _forget_pod_networks() -> None:
    """Delete CNI's records. The namespaces are mounts below the state folder."""
    for note in _RESULTS.glob(f"{_NETWORK}-*"):
        pod = note.name.removeprefix(f"{_NETWORK}-").removesuffix("-eth0")
        note.unlink()
        (_RESULTS / f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
    for folder in (_RESULTS, _RESULTS.parent):
        mounts.remove_if_empty(folder)


def _shim_sockets() -> list[Path]:
    """Sockets of dead shims, on which no process listens."""
    folder = Path("/run/containerd/s")
    listening = Path("/proc/net/unix").read_text()
    return [socket for socket in folder.glob("*") if str(socket) not in listening]


def _write_network() -> None:
    """Configure the addresses of pods. The part ``network`` routes their traffic."""
    config = {
        "cniVersion": "1.0.0",
        "name": _NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": SETTINGS.pod_bridge,
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": SETTINGS.pod_network, "gateway": SETTINGS.pod_gateway}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(HOME / "addresses"),
                },
            }
        ],
    }
    folder = HOME / "cni"
    folder.mkdir(exist_ok=True)
    (folder / "10-manifest-engine.conflist").write_text(json.dumps(config, indent=2))


def _write_registry() -> None:
    folder = HOME / "certs.d" / SETTINGS.registry
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.toml").write_text(
        # containerd 1.7 reads "ca" only in the section of a host, not of the server
        f'[host."https://{SETTINGS.registry}"]\nca = "{SETTINGS.ca}"\n'
    )


def _config() -> str:
    return f"""\
version = 2
root = "{HOME}/root"
state = "{HOME}/state"

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{HOME}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Lowering oom_score_adj below one's own needs a capability that not every root has.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{HOME}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{HOME}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{HOME}/certs.d"
"""
