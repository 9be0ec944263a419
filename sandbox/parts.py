"""The list of parts; the order is that of ``status``, the start order follows from their needs."""

from __future__ import annotations

from sandbox.airflow import Airflow
from sandbox.arm import Arm
from sandbox.artifactory import Artifactory
from sandbox.base_image import BaseImage
from sandbox.cluster import Cluster
from sandbox.cluster_binary import ClusterBinary
from sandbox.compose import Compose
from sandbox.containerd import Containerd
from sandbox.database import Database
from sandbox.engine import Engine
from sandbox.entra import Entra
from sandbox.gateway import Gateway
from sandbox.gateway_binary import GatewayBinary
from sandbox.index import Index
from sandbox.network import Network
from sandbox.packages import Packages
from sandbox.part import Part
from sandbox.pull_secret import PullSecret
from sandbox.rbac import Rbac
from sandbox.registry import Registry
from sandbox.settings import SETTINGS


def all_parts() -> list[Part]:
    """Those that the settings ask for."""
    left_out = _left_out()
    return [part for part in every_part() if part.name not in left_out]


def every_part() -> list[Part]:
    """Whatever the settings say: what runs may have been started under others."""
    return [
        Packages(),
        Network(),
        Engine(),
        BaseImage(),
        Entra(),
        Registry(),
        Artifactory(),
        Index(),
        ClusterBinary(),
        GatewayBinary(),
        Containerd(),
        Cluster(),
        Gateway(),
        PullSecret(),
        Arm(),
        Rbac(),
        Database(),
        Airflow(),
    ]


def on_request() -> list[Part]:
    """Parts that ``up`` leaves out unless it is told their name; ``down`` takes them along."""
    return [Compose()]


def _left_out() -> set[str]:
    found = {Database.name} if SETTINGS.database != "postgresql" else set()
    # The way of the environment "aks": a cluster that is given knows nothing of our tenant.
    return found | {Arm.name, Rbac.name} if SETTINGS.kubeconfig else found
