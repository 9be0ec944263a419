"""What the stack promises beside deployments: its secrets, its disks, its users."""

from __future__ import annotations

import json
import re

import pytest

from sandbox import compose_configuration, docker_cli, rbac
from sandbox.compose import BUILDERS
from sandbox.engine import Engine


@pytest.fixture(scope="module")
def inspected(compose):
    """``docker inspect`` of every container, by service."""
    names = {item["ID"]: item["Service"] for item in compose.containers()}
    said = docker_cli.docker("inspect", *names, host=Engine().host, what="inspecting")
    found = {}
    for item in json.loads(said):
        found.setdefault(names[item["Id"][:12]], []).append(item)
    return found


def test_no_secret_shows_in_docker_inspect(inspected):
    shown = json.dumps(inspected)
    folder = compose_configuration.HOME / "secrets"
    secrets = [
        line
        for file in folder.iterdir()
        if not file.name.endswith(("_cert", "_ca")) and file.name != "connections"
        for line in file.read_text().splitlines()
        if "PRIVATE KEY" not in line
    ]
    assert len(secrets) > 20  # passwords, keys, and the lines of private keys
    assert [line[:4] for line in secrets if line in shown] == []


def test_workers_share_no_disk_and_nobody_has_the_hosts_engine(inspected):
    mounts = [mount for item in inspected["worker"] for mount in item["Mounts"]]
    assert [mount["Destination"] for mount in mounts if mount["RW"]] == []
    everywhere = [
        mount for items in inspected.values() for item in items for mount in item["Mounts"]
    ]
    assert not any("docker.sock" in mount["Source"] for mount in everywhere)
    privileged = {
        service for service, items in inspected.items() if items[0]["HostConfig"]["Privileged"]
    }
    assert privileged == {"builder-1", "builder-2"}


def test_a_stack_of_the_same_file_on_this_engine_would_not_be_touched(inspected):
    labels = [item["Config"]["Labels"] for items in inspected.values() for item in items]
    assert {found["com.docker.compose.project"] for found in labels} == {"manifest-engine-sandbox"}
    assert inspected["worker"][0]["Config"]["Image"] == "manifest-engine/airflow:sandbox"


def test_redis_itself_gets_the_signal_to_stop(compose):
    first = compose.compose("exec", "--no-TTY", "redis", "cat", "/proc/1/comm")
    assert first.strip() == "redis-server"


def test_airflow_is_not_root(compose):
    assert compose.compose("exec", "--no-TTY", "worker", "id", "-u").strip() == "50000"


def test_it_deploys_with_the_rights_of_include_rbac_yaml_and_no_more():
    connections = json.loads((compose_configuration.HOME / "secrets/connections").read_text())
    kubeconfig = json.loads(connections["kubernetes_default"]["extra"]["kube_config"])
    assert [user["name"] for user in kubeconfig["users"]] == [rbac.USER]


@pytest.mark.parametrize("builder", BUILDERS)
def test_builders_limit_their_build_cache(compose, builder):
    said = compose.compose("exec", "--no-TTY", builder, "docker", "buildx", "inspect", "default")
    # A newer buildx has another word for it.
    kept = re.findall(r"^\s*(?:Keep Bytes|Reserved Space):\s*(\S+)$", said, re.MULTILINE)
    assert "20GiB" in kept, said


def test_builders_refuse_a_client_without_a_certificate(compose):
    ask = (
        "import ssl, urllib.request as u\n"
        "try:\n"
        "    c = ssl._create_unverified_context()\n"
        "    print(u.urlopen('https://builder-1:2376/version', context=c, timeout=5).status)\n"
        "except (OSError, ssl.SSLError) as error:\n"
        "    print(error)\n"
    )
    said = compose.compose("exec", "--no-TTY", "worker", "python", "-c", ask)
    assert "certificate required" in said.lower()
