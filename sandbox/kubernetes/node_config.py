"""Flags and configuration files of kubelet and kube-proxy."""

from __future__ import annotations

from pathlib import Path

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import containerd
from sandbox.kubernetes.files import ADDRESS, HOME, NODE, write, write_kubeconfig

KUBELET = HOME / "kubelet"


def kubelet() -> list[str]:
    user = f"system:node:{NODE}"
    pair = pki.issue(
        "kubelet", common_name=user, organization="system:nodes", addresses=[ADDRESS, NODE]
    )
    # With systemd-resolved, resolv.conf has a loopback address that pods cannot reach.
    resolved = Path("/run/systemd/resolve/resolv.conf")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.authority().certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pair.certificate),
        "tlsPrivateKeyFile": str(pair.key),
        "containerRuntimeEndpoint": f"unix://{containerd.SOCKET}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # a lower value needs a capability that root may lack in a container
        "makeIPTablesUtilChains": False,
        "resolvConf": str(resolved if resolved.exists() else Path("/etc/resolv.conf")),
        "podLogsDir": str(HOME / "pod-logs"),
        "volumePluginDir": str(HOME / "volume-plugins"),
        "serializeImagePulls": False,
        # Do not evict pods when a laptop's disk is nearly full.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,  # never collect images
    }
    return [
        "kubelet",
        f"--config={write('kubelet.json', config)}",
        f"--kubeconfig={write_kubeconfig(HOME / 'kubelet.conf', user, 'system:nodes')}",
        f"--root-dir={KUBELET}",
        f"--cert-dir={HOME}/kubelet-pki",
        f"--hostname-override={NODE}",
        f"--node-ip={ADDRESS}",
    ]


def proxy() -> list[str]:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",  # uses two tables of its own, which `down` deletes
        "bindAddress": ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "clusterCIDR": SETTINGS.pod_network,
        "hostnameOverride": NODE,
        "clientConnection": {
            "kubeconfig": str(write_kubeconfig(HOME / "proxy.conf", "system:kube-proxy"))
        },
        # 0: do not change the machine's connection tracking
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    return ["kube-proxy", f"--config={write('proxy.json', config)}"]
