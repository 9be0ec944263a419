"""Secrets, volumes, networks and users of the stack."""

from __future__ import annotations

import json
import re

import pytest

from sandbox.compose import configuration as compose_configuration
from sandbox.compose.compose import BUILDERS
from sandbox.core.settings import REPOSITORY
from sandbox.engine import docker_cli
from sandbox.engine.engine import Engine
from sandbox.kubernetes import rbac

PAGE = REPOSITORY / "docs/many-workers.md"
DATA = {"postgres": "database", "redis": "broker", "azurite": "storage"}


@pytest.fixture(scope="module")
def inspected(compose):
    """``docker inspect`` of every container, by service."""
    names = {item["ID"]: item["Service"] for item in compose.containers()}
    said = docker_cli.docker("inspect", *names, host=Engine().host, what="inspecting")
    found = {}
    for item in json.loads(said):
        found.setdefault(names[item["Id"][:12]], []).append(item)
    return found


def test_docker_inspect_shows_no_secret(inspected):
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


def test_workers_share_no_disk_and_no_container_has_the_hosts_engine(inspected):
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


def test_another_stack_of_the_same_file_on_this_engine_is_not_changed(inspected):
    labels = [item["Config"]["Labels"] for items in inspected.values() for item in items]
    assert {found["com.docker.compose.project"] for found in labels} == {"manifest-engine-sandbox"}
    assert inspected["worker"][0]["Config"]["Image"] == "manifest-engine/airflow:sandbox"


def test_redis_receives_the_stop_signal(compose):
    first = compose.compose("exec", "--no-TTY", "redis", "cat", "/proc/1/comm")
    assert first.strip() == "redis-server"


def test_airflow_is_not_root(compose):
    assert compose.compose("exec", "--no-TTY", "worker", "id", "-u").strip() == "50000"


def test_the_stack_deploys_with_only_the_rights_of_include_rbac_yaml():
    connections = json.loads((compose_configuration.HOME / "secrets/connections").read_text())
    kubeconfig = json.loads(connections["kubernetes_default"]["extra"]["kube_config"])
    assert [user["name"] for user in kubeconfig["users"]] == [rbac.USER]


@pytest.mark.parametrize("builder", BUILDERS)
def test_builders_limit_their_build_cache(compose, builder):
    said = compose.compose("exec", "--no-TTY", builder, "docker", "buildx", "inspect", "default")
    # buildx renamed the line.
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


def test_each_component_has_exactly_the_documented_secrets(inspected):
    rows = re.findall(r"^\| (`.+?`) \| (`.+?`) \|$", PAGE.read_text(), re.MULTILINE)
    documented = {
        service: set(re.findall(r"`([a-z_]+)`", secrets))
        for services, secrets in rows
        for service in re.findall(r"`([a-z0-9-]+)`", services)
        if service in inspected
    }
    mounted = {
        service: {
            mount["Destination"].removeprefix("/run/secrets/")
            for mount in items[0]["Mounts"]
            if mount["Destination"].startswith("/run/secrets/")
        }
        - {"ca_certificates"}
        for service, items in inspected.items()
    }
    assert mounted == documented


def test_settings_name_only_secrets_that_their_component_has(inspected):
    for service, items in inspected.items():
        read = re.findall(r"/run/secrets/(\w+)", json.dumps(items[0]["Config"]["Env"]))
        mounted = {mount["Destination"].rpartition("/")[2] for mount in items[0]["Mounts"]}
        assert set(read) <= mounted, service


def test_a_worker_cannot_reach_the_database(compose, inspected):
    assert networks(inspected["worker"]) == {"default", "broker", "storage", "builders"}
    ask = "from airflow.configuration import conf; print(conf.get('database', 'sql_alchemy_conn'))"
    said = compose.compose("exec", "--no-TTY", "worker", "python", "-c", ask)
    assert "postgres" not in said


@pytest.mark.parametrize(("service", "network"), DATA.items())
def test_data_services_are_on_an_internal_network(inspected, service, network):
    assert networks(inspected[service]) == {network}
    (container,) = inspected[service]
    (attached,) = container["NetworkSettings"]["Networks"].values()
    words = ("network", "inspect", "--format", "{{.Internal}}", attached["NetworkID"])
    assert docker_cli.docker(*words, host=Engine().host, what="inspecting").strip() == "true"
    assert not container["HostConfig"]["PortBindings"]


@pytest.mark.parametrize("service", DATA)
def test_data_services_run_read_only_without_capabilities(inspected, service):
    host = inspected[service][0]["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_airflow_runs_without_capabilities(inspected):
    for service in ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"):
        host = inspected[service][0]["HostConfig"]
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service


def test_builders_share_a_network_only_with_workers(inspected):
    beside = {name for name, items in inspected.items() if "builders" in networks(items)}
    assert beside == {"worker", *BUILDERS}
    assert [name for name, items in inspected.items() if "outside" in networks(items)] == [
        *BUILDERS
    ]


@pytest.mark.parametrize(("service", "port"), [("worker", 8793), ("triggerer", 8794)])
def test_the_api_server_may_read_logs_of_running_tasks(compose, inspected, service, port):
    # 404: the file does not exist. Without the right to read logs the status is 403.
    host = inspected[service][0]["Config"]["Hostname"]
    ask = (
        "from airflow.utils.log.file_task_handler import _fetch_logs_from_service as fetch\n"
        f"print(fetch('http://{host}:{port}/log/no.log', 'no.log').status_code)\n"
    )
    said = compose.compose("exec", "--no-TTY", "api-server", "python", "-c", ask)
    assert said.split()[-1] == "404"


def test_airflow_trusts_the_given_and_the_public_authorities(compose, environment):
    ask = (
        "import requests, ssl\n"
        f"print(requests.get('https://{environment['REGISTRY']}/v2/', timeout=20).status_code)\n"
        "print(len(ssl.create_default_context().get_ca_certs()))\n"
    )
    status, authorities = compose.compose(
        "exec", "--no-TTY", "worker", "python", "-c", ask
    ).split()[-2:]
    assert status == "401"  # an error of the registry, so the certificate is trusted
    assert int(authorities) > 50


@pytest.mark.parametrize("builder", BUILDERS)
def test_builders_trust_the_given_authority(compose, environment, builder):
    pull = f"docker pull {environment['REGISTRY']}/no/such:image 2>&1 || true"
    said = compose.compose("exec", "--no-TTY", builder, "sh", "-c", pull)
    assert "x509" not in said
    assert "authentication required" in said or "denied" in said


def networks(containers):
    """The networks of a container, by their names in docker-compose.yaml."""
    found = containers[0]["NetworkSettings"]["Networks"]
    return {name.removeprefix("manifest-engine-sandbox_") for name in found}
