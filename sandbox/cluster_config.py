"""Flags, certificates and configuration files of the sandbox's Kubernetes components."""

from __future__ import annotations

import base64
import ipaddress
import json
from pathlib import Path

from sandbox import containerd, entra, pki
from sandbox.settings import SETTINGS
from sandbox.standins import kubeconfigs

HOME = SETTINGS.state / "cluster"
KUBELET = HOME / "kubelet"
NODE = "manifest-engine"
_ADDRESS = SETTINGS.pod_gateway
SERVER = f"https://{_ADDRESS}:{SETTINGS.apiserver_port}"
_ETCD = f"http://127.0.0.1:{SETTINGS.etcd_port}"
_PEER = f"http://127.0.0.1:{SETTINGS.etcd_port + 1}"


def write_kubeconfig(path: Path, user: str, organization: str | None = None) -> Path:
    """A kubeconfig with everything inside, for a client certificate of that user and group."""
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


def etcd() -> list[str]:
    return [
        "etcd",
        f"--data-dir={HOME}/etcd",
        f"--listen-client-url={_ETCD}",
        f"--listen-peer-url={_PEER}",
    ]


def apiserver() -> list[str]:
    first_service = ipaddress.ip_network(SETTINGS.service_network)[1]
    names = ["127.0.0.1", _ADDRESS, str(first_service), "localhost", "kubernetes"]
    names += ["kubernetes.default", "kubernetes.default.svc"]
    server = pki.issue("kube-apiserver", common_name="kube-apiserver", addresses=names)
    to_kubelet = pki.issue(
        "kube-apiserver-kubelet", common_name="kube-apiserver", organization="system:masters"
    )
    front = pki.issue("kube-front-proxy", common_name="front-proxy-client")
    accounts = _accounts()
    ca = pki.authority().certificate
    return [
        "kube-apiserver",
        f"--etcd-servers={_ETCD}",
        # Loopback is no valid endpoint of the Service "kubernetes".
        f"--bind-address={_ADDRESS}",
        f"--advertise-address={_ADDRESS}",
        f"--secure-port={SETTINGS.apiserver_port}",
        f"--service-cluster-ip-range={SETTINGS.service_network}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={ca}",
        f"--authentication-config={authentication()}",
        f"--cert-dir={HOME}/apiserver",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        f"--kubelet-client-certificate={to_kubelet.certificate}",
        f"--kubelet-client-key={to_kubelet.key}",
        f"--kubelet-certificate-authority={ca}",
        # The node's name is in no DNS: without this, logs and exec look it up there.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={accounts.certificate}",
        f"--service-account-signing-key-file={accounts.key}",
        f"--requestheader-client-ca-file={ca}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
    ]


def authentication() -> Path:
    """Takes tokens of the Entra ID stand-in as AKS does: those for its server application, with
    object ids as the names of users and groups. The API server reads the file anew by itself."""
    tenant = entra.identity()["tenant"]
    issuer = {
        "url": f"https://sts.windows.net/{tenant}/",
        "discoveryURL": f"{entra.authority()}/{tenant}/.well-known/openid-configuration",
        "certificateAuthority": pki.authority().certificate.read_text(),
        "audiences": [kubeconfigs.SERVER_APPLICATION],
    }
    config = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": issuer,
                "claimValidationRules": [{"claim": "tid", "requiredValue": tenant}],
                "claimMappings": {
                    "username": {"claim": "oid", "prefix": ""},
                    "groups": {"claim": "groups", "prefix": ""},
                },
            }
        ],
    }
    return _write("authentication.json", config)


def controller_manager() -> list[str]:
    user = "system:kube-controller-manager"
    return [
        "kube-controller-manager",
        *_control_plane(write_kubeconfig(HOME / "controller-manager.conf", user)),
        f"--root-ca-file={pki.authority().certificate}",
        f"--service-account-private-key-file={_accounts().key}",
        "--use-service-account-credentials=true",
        f"--flex-volume-plugin-dir={HOME}/volume-plugins",
    ]


def scheduler() -> list[str]:
    config = write_kubeconfig(HOME / "scheduler.conf", "system:kube-scheduler")
    return ["kube-scheduler", *_control_plane(config)]


def kubelet() -> list[str]:
    user = f"system:node:{NODE}"
    pair = pki.issue(
        "kubelet", common_name=user, organization="system:nodes", addresses=[_ADDRESS, NODE]
    )
    # Behind systemd-resolved, resolv.conf names a loopback address that pods cannot reach.
    resolved = Path("/run/systemd/resolve/resolv.conf")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": _ADDRESS,
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
        "oomScoreAdj": 0,  # a lower one needs a capability that not every root has
        "makeIPTablesUtilChains": False,
        "resolvConf": str(resolved if resolved.exists() else Path("/etc/resolv.conf")),
        "podLogsDir": str(HOME / "pod-logs"),
        "volumePluginDir": str(HOME / "volume-plugins"),
        "serializeImagePulls": False,
        # A laptop's disk may be nearly full; the sandbox is no reason to evict anything.
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
        f"--config={_write('kubelet.json', config)}",
        f"--kubeconfig={write_kubeconfig(HOME / 'kubelet.conf', user, 'system:nodes')}",
        f"--root-dir={KUBELET}",
        f"--cert-dir={HOME}/kubelet-pki",
        f"--hostname-override={NODE}",
        f"--node-ip={_ADDRESS}",
    ]


def proxy() -> list[str]:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",  # in two tables of its own, which are dropped as a whole
        "bindAddress": _ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "clusterCIDR": SETTINGS.pod_network,
        "hostnameOverride": NODE,
        "clientConnection": {
            "kubeconfig": str(write_kubeconfig(HOME / "proxy.conf", "system:kube-proxy"))
        },
        # 0: leave the machine's connection tracking as it is
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    return ["kube-proxy", f"--config={_write('proxy.json', config)}"]


def _control_plane(config: Path) -> list[str]:
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={HOME}/{config.stem}",
        "--leader-elect=false",
        "--profiling=false",
    ]


def _accounts() -> pki.Pair:
    """The key that signs ServiceAccount tokens."""
    return pki.issue("kube-accounts", common_name="service-accounts")


def _write(name: str, content: object) -> Path:
    path = HOME / name
    path.write_text(json.dumps(content, indent=2))
    return path
