"""``pip install manifest-engine``: an Airflow without a copy of our folders."""

from __future__ import annotations

import json
from collections.abc import Callable

import manifest_engine
import requests

from tests.e2e.conftest import Service
from tests.wheel.conftest import Installed, InstalledAirflow


def test_the_version_is_that_of_the_package(installed: Installed):
    printed = installed.run("python", "-m", "manifest_engine", "--version")
    assert printed == f"manifest-engine {manifest_engine.__version__}\n"


def test_what_is_installed_is_within_the_ranges_of_the_wheel(installed: Installed):
    installed.run("python", "-m", "ensurepip")
    printed = installed.run("python", "-m", "pip", "--disable-pip-version-check", "check")
    assert "No broken requirements" in printed


def test_airflow_lists_the_provider_and_the_plugin(installed: Installed):
    providers = json.loads(installed.run("airflow", "providers", "list", "--output", "json"))
    (ours,) = (item for item in providers if item["package_name"] == "manifest-engine")
    assert ours["version"] == manifest_engine.__version__
    plugins = json.loads(installed.run("airflow", "plugins", "--output", "json"))
    assert "manifest_engine" in {item["name"] for item in plugins}


def test_connection_forms_exist_without_pythonpath(installed: Installed):
    code = (
        "from airflow.providers_manager import ProvidersManager as P; "
        "print(sorted(kind for kind, hook in P().hooks.items() "
        "if hook and hook.package_name == 'manifest-engine'))"
    )
    printed = installed.run("python", "-c", code).strip().splitlines()[-1]
    assert printed == "['acr', 'aks', 'artifactory']"


def test_a_deployment_from_the_wheel_goes_live(
    airflow: InstalledAirflow, service: Callable[[str], Service]
):
    sample = service("quote-service")
    sample.airflow = airflow
    outcome = sample.deploy()
    assert outcome.ok, outcome
    assert outcome.url is not None
    assert requests.get(f"{outcome.url}/health", timeout=10).status_code == 200
