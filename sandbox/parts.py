"""The list of parts, in the order of ``status``. ``Part.needs`` gives the start order."""

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


def enabled_parts() -> list[Part]:
    """The parts that the current settings ask for."""
    left_out = _left_out()
    return [part for part in known_parts() if part.name not in left_out]


def known_parts() -> list[Part]:
    """All parts. ``down`` uses this list, because ``up`` may have run with other settings."""
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
    """Parts that ``up`` starts only by name. ``down`` stops them."""
    return [Compose()]


def _left_out() -> set[str]:
    found = {Database.name} if SETTINGS.database != "postgresql" else set()
    # These parts serve the environment "aks", and a given cluster does not trust our tenant.
    return found | {Arm.name, Rbac.name} if SETTINGS.kubeconfig else found
