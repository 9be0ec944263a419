"""A copy of the folders can be registered with Airflow as a provider."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import manifest_engine
import pytest
from airflow.providers_manager import _create_provider_info_schema_validator
from manifest_engine import installation
from manifest_engine.provider import get_provider_info

PACKAGE = Path(manifest_engine.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A ``plugins/`` folder with a package that knows where its files are and no more."""
    package = tmp_path / "plugins/manifest_engine"
    package.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "installation.py"):
        shutil.copy(PACKAGE / name, package)
    shutil.copytree(PACKAGE / "client", package / "client")
    return package.parent


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "manifest_engine", *words]
    return subprocess.run(
        argv, check=False, capture_output=True, text=True, cwd="/", env={"PYTHONPATH": str(folder)}
    )


def test_register_writes_the_metadata_that_airflow_reads(copy: Path):
    old = copy / "manifest_engine-0.0.1.dist-info"
    old.mkdir()
    printed = run(copy, "register").stdout.strip()
    found = metadata.PathDistribution(Path(printed))
    assert found.metadata["Name"] == "manifest-engine"
    assert found.version == manifest_engine.__version__
    (point,) = found.entry_points
    assert (point.group, point.load()) == ("apache_airflow_provider", get_provider_info)
    _create_provider_info_schema_validator().validate(point.load()())
    assert not old.exists()


def test_register_refuses_a_package_that_pip_installed(copy: Path):
    (copy / "manifest_engine/dags").mkdir()
    done = run(copy, "register")
    assert done.returncode == 1
    assert "was installed by pip, which registers it; nothing to do" in done.stderr


def test_files_lie_beside_a_copy_and_inside_an_installed_package(copy: Path):
    assert run(copy, "dags-folder").stdout.strip() == str(copy.parent / "dags")
    (copy / "manifest_engine/dags").mkdir()
    assert run(copy, "dags-folder").stdout.strip() == str(copy / "manifest_engine/dags")


def test_the_checkout_has_its_include_folder():
    assert (installation.include_folder() / "environments.yaml").is_file()
