"""The list of parts; the order is that of ``status``, the start order follows from their needs."""

from __future__ import annotations

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.database import Database
from sandbox.compose.compose import Compose
from sandbox.core.part import Part
from sandbox.core.settings import SETTINGS
from sandbox.engine.base_image import BaseImage
from sandbox.engine.engine import Engine
from sandbox.kubernetes.binary import ClusterBinary
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.containerd import Containerd
from sandbox.kubernetes.pull_secret import PullSecret
from sandbox.kubernetes.rbac import Rbac
from sandbox.machine.network import Network
from sandbox.machine.packages import Packages
from sandbox.routing.binary import GatewayBinary
from sandbox.routing.gateway import Gateway
from sandbox.services.artifactory.artifactory import Artifactory
from sandbox.services.azure.arm import Arm
from sandbox.services.azure.entra import Entra
from sandbox.services.index.index import Index
from sandbox.services.registry.registry import Registry


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
