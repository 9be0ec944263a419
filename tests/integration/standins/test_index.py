"""pip against the private package index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.services.index.index import Index, login
from tests.integration.parts import require


@pytest.fixture(scope="module", autouse=True)
def parts() -> None:
    require(Index())


def install(requirement: str, target: Path, user: str, password: str) -> tuple[int, str]:
    """Runs ``pip install`` with a configuration file, as a build does."""
    url = Index().url
    host = url.split("/")[2]
    configuration = target.with_suffix(".conf")
    configuration.write_text(
        f"[global]\nindex-url = {url.replace('://', f'://{user}:{password}@')}\n"
        f"trusted-host = {host.partition(':')[0]}\n"
    )
    argv = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-input", "--no-cache-dir"]
    done = subprocess.run(
        [*argv, "--target", str(target), requirement],
        env={"PIP_CONFIG_FILE": str(configuration), "PATH": "/usr/bin:/bin", "HOME": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["1.4.2", "1.5.0"])
def test_each_version_installs_and_reports_its_version(tmp_path: Path, version: str) -> None:
    target = tmp_path / "site"
    code, output = install(f"internal-utils=={version}", target, **_login())
    assert code == 0, output
    script = "import internal_utils; print(internal_utils.describe())"
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == f"internal-utils {version}"


def test_an_unknown_version_is_not_found(tmp_path: Path) -> None:
    code, output = install("internal-utils==9.9.9", tmp_path / "site", **_login())
    assert code != 0
    assert "1.5.0" in output


def test_a_wrong_password_installs_nothing(tmp_path: Path) -> None:
    code, _ = install("internal-utils", tmp_path / "site", user="builds", password="wrong")
    assert code != 0


def _login() -> dict[str, str]:
    return {name: str(value) for name, value in login().items()}
