"""A Kubernetes cluster of one node, whose components are processes of the machine.

With ``SANDBOX_KUBECONFIG`` the sandbox uses an existing cluster and starts none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.core import process
from sandbox.core.part import Part, SandboxError, wait_until
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import binary as cluster_binary
from sandbox.kubernetes import containerd, control_plane, node_config
from sandbox.kubernetes import files as cluster_files
from sandbox.kubernetes.kube import OWN_KUBECONFIG, Kube, condition, kubeconfig
from sandbox.machine import mounts, sysctl

_COMPONENTS = {
    "etcd": control_plane.etcd,
    "kube-apiserver": control_plane.apiserver,
    "kubelet": node_config.kubelet,
    "kube-controller-manager": control_plane.controller_manager,
    "kube-scheduler": control_plane.scheduler,
    "kube-proxy": node_config.proxy,
}
_BEFORE_THE_REST = ("etcd", "kube-apiserver", "kubelet")
"""kubelet retries until the API server answers; the other components exit."""
_SYSCTLS = ("vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops")
"""Kernel settings that kubelet changes."""
_TABLES = ("ip kube-proxy", "ip6 kube-proxy")
_LOG_LINKS = Path("/var/log/containers")
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_KUBECTL = SETTINGS.state / "bin/kubectl"
_GRACE_SECONDS = 0.5
"""Short, because no data is kept and the API server would wait 10 s for its watchers."""
_READY_SECONDS = 90
"""Startup takes 8 s on an idle machine and several times as long during a build."""


class Cluster(Part):
    """etcd, API server, controller manager, scheduler, kubelet, kube-proxy."""

    name = "cluster"
    needs = ("cluster-binary", "containerd", "network")

    def where(self) -> str:
        return f"kubeconfig {kubeconfig()}, namespace {SETTINGS.namespace}"

    def exports(self) -> dict[str, str]:
        variables = {"KUBECONFIG": str(kubeconfig()), "NAMESPACE": SETTINGS.namespace}
        if not shutil.which("kubectl"):
            variables["PATH"] = f"{_KUBECTL.parent}:{os.environ['PATH']}"
        return variables

    def ready(self) -> str | None:
        if not kubeconfig().exists():
            return f"{kubeconfig()} does not exist"
        if not SETTINGS.kubeconfig:
            for component in _COMPONENTS:
                if problem := process.require_alive(component):
                    return problem
        return _answers() or _usable()

    def start(self) -> None:
        if SETTINGS.kubeconfig:
            _check_given()
        else:
            self._start_own()
        Kube().apply_namespace(SETTINGS.namespace)
        wait_until(_usable, _READY_SECONDS, self.name)

    def _start_own(self) -> None:
        for name in _SYSCTLS:
            sysctl.remember(name)
        cluster_files.HOME.mkdir(parents=True, exist_ok=True)
        cluster_files.write_kubeconfig(kubeconfig(), "admin", "system:masters")
        _KUBECTL.parent.mkdir(exist_ok=True)
        _KUBECTL.unlink(missing_ok=True)
        _KUBECTL.symlink_to(cluster_binary.folder() / "cluster")
        for name in _BEFORE_THE_REST:
            _start_component(name)
        wait_until(_first_answer, _READY_SECONDS, "kube-apiserver")
        for name in _COMPONENTS:
            _start_component(name)

    def stop(self) -> None:
        """Remove our own cluster, also if the settings changed. Change nothing in a given one."""
        with ThreadPoolExecutor(max_workers=len(_COMPONENTS)) as pool:
            list(pool.map(lambda name: process.stop(name, grace=_GRACE_SECONDS), _COMPONENTS))
        containerd.kill_pods()
        if cluster_files.HOME.exists():  # else the files belong to another cluster's node
            _remove_tables()
            _remove_fixed_places()
            _remove_cgroups()
            mounts.remove(cluster_files.HOME)
        for name in _SYSCTLS:
            sysctl.restore(name)
        OWN_KUBECONFIG.unlink(missing_ok=True)
        _KUBECTL.unlink(missing_ok=True)


def _start_component(name: str) -> None:
    if process.find(name) is None:  # kube-proxy exits when its configuration file changes
        process.start(name, [cluster_binary.folder() / "cluster", *_COMPONENTS[name]()])


def _check_given() -> None:
    if not kubeconfig().exists():
        raise SandboxError(f"SANDBOX_KUBECONFIG names {kubeconfig()}, which does not exist")
    if problem := _answers():
        raise SandboxError(f"the cluster of SANDBOX_KUBECONFIG={kubeconfig()}: {problem}")


def _first_answer() -> str | None:
    for name in _BEFORE_THE_REST:
        if problem := process.require_alive(name):
            raise SandboxError(problem)
    return _answers()


def _answers() -> str | None:
    try:
        Kube().text("/readyz")
    except SandboxError as error:
        return f"the API server does not answer: {error}"
    return None


def _usable() -> str | None:
    """None if a pod created now would run."""
    kube = Kube()
    if not SETTINGS.kubeconfig:
        node = kube.get(f"/api/v1/nodes/{cluster_files.NODE}")
        if condition(node, "Ready") != "True":
            return "the node is not Ready yet"
    account = f"/api/v1/namespaces/{SETTINGS.namespace}/serviceaccounts/default"
    if kube.get(account) is None:
        return f"namespace {SETTINGS.namespace} has no default ServiceAccount yet"
    return None


def _remove_tables() -> None:
    for table in _TABLES if shutil.which("nft") else ():
        words = ["nft", "delete", "table", *table.split()]
        subprocess.run(words, capture_output=True, check=False)


def _remove_fixed_places() -> None:
    """Remove kubelet's files whose place cannot be configured."""
    for link in _LOG_LINKS.glob("*"):
        if link.is_symlink() and cluster_files.HOME in link.readlink().parents:
            link.unlink()
    mounts.remove_if_empty(_LOG_LINKS)
    (_DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    for folder in (_DEVICE_PLUGINS, _DEVICE_PLUGINS.parent):
        mounts.remove_if_empty(folder)


def _remove_cgroups() -> None:
    for root in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for group in sorted(root.glob("**/"), reverse=True):
            try:
                group.rmdir()
            except OSError:  # another kubelet's group with processes
                continue
