"""Flags and configuration files of etcd, the API server, the controllers and the scheduler."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes.files import ADDRESS, HOME, write, write_kubeconfig
from sandbox.services.azure import entra, kubeconfigs

_ETCD = f"http://127.0.0.1:{SETTINGS.etcd_port}"
_PEER = f"http://127.0.0.1:{SETTINGS.etcd_port + 1}"


def etcd() -> list[str]:
    return [
        "etcd",
        f"--data-dir={HOME}/etcd",
        f"--listen-client-url={_ETCD}",
        f"--listen-peer-url={_PEER}",
    ]


def apiserver() -> list[str]:
    first_service = ipaddress.ip_network(SETTINGS.service_network)[1]
    names = ["127.0.0.1", ADDRESS, str(first_service), "localhost", "kubernetes"]
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
        # Loopback is not a valid endpoint of the Service "kubernetes".
        f"--bind-address={ADDRESS}",
        f"--advertise-address={ADDRESS}",
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
        # DNS does not have the node's name, so logs and exec must use the address.
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
    """Write the file by which the API server accepts tokens of the Entra ID stand-in.

    As on AKS, tokens are for the server application, and users and groups are named by object id.
    The API server reloads the file by itself.
    """
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
    return write("authentication.json", config)


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
