"""Builds reach neither the stack, nor the cloud's metadata, nor private networks.

Each test probes addresses from a RUN step of a real build on a builder of the running stack.
"""

from __future__ import annotations

import base64
import json
import socket

import pytest

from sandbox.compose.compose import BUILDERS, Compose
from sandbox.core.part import SandboxError
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.base_image import IMAGE
from sandbox.engine.engine import Engine

PROBE = """
import socket, sys
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
        found = "open"
    except OSError as error:
        found = str(error)
    print("PROBE", target, found, flush=True)
"""
PORTS = {
    "postgres": 5432,
    "redis": 6379,
    "azurite": 10000,
    "api-server": 8080,
    "worker": 8793,
    "builder-1": 2376,
    "builder-2": 2376,
}
METADATA = ("169.254.169.254:80", "168.63.129.16:80", "fd00:ec2::254:80")
REFUSED = "[Errno 113] No route to host"
"""The error of a connection that the firewall rejects. A closed port refuses the connection."""
CHECK = ("sh", "/etc/docker/builder-firewall.sh", "check")


@pytest.fixture(scope="module")
def components(compose):
    """``address:port`` of each component that a build must not reach."""
    found = {}
    for service, port in PORTS.items():
        names = [item["ID"] for item in compose.containers(service)]
        said = docker_cli.docker("inspect", *names, host=Engine().host, what="inspecting")
        networks = [item["NetworkSettings"]["Networks"].values() for item in json.loads(said)]
        found[service] = [f"{each['IPAddress']}:{port}" for group in networks for each in group]
    return found


@pytest.fixture(scope="module")
def probed(compose, components):
    allowed = [f"{SETTINGS.pod_gateway}:{SETTINGS.registry_port}"]
    allowed += [f"{SETTINGS.pod_gateway}:{SETTINGS.index_port}"]
    other = [f"{SETTINGS.pod_gateway}:{SETTINGS.apiserver_port}", "172.17.0.1:2376"]
    targets = [target for each in components.values() for target in each]
    return probe(compose, "builder-1", *targets, *METADATA, *allowed, *other)


@pytest.mark.parametrize("service", PORTS)
def test_a_run_step_does_not_reach_a_component_of_the_stack(service, components, probed):
    listening = [target for target in components[service] if answers(target)]
    assert listening, "nothing listens there, so this test would prove nothing"
    assert {probed[target] for target in components[service]} == {REFUSED}


def test_a_run_step_does_not_reach_a_metadata_service(compose, probed):
    assert [probed[target] for target in METADATA[:2]] == [REFUSED] * 2
    assert "unreachable" in probed[METADATA[2]]
    rules = inside(compose, "builder-1", "ip6tables", "-S", "MANIFEST-ENGINE")
    assert "-d fd00:ec2::254/128 -j REJECT" in rules


def test_a_run_step_reaches_only_the_allowed_port_of_an_address(probed):
    place = SETTINGS.pod_gateway
    assert probed[f"{place}:{SETTINGS.registry_port}"] == "open"
    assert probed[f"{place}:{SETTINGS.index_port}"] == "open"
    assert answers(f"{place}:{SETTINGS.apiserver_port}")
    assert probed[f"{place}:{SETTINGS.apiserver_port}"] == REFUSED


def test_a_run_step_does_not_reach_its_own_builder(probed):
    assert probed["172.17.0.1:2376"] == REFUSED


def test_add_does_not_reach_a_component_of_the_stack(compose, components):
    (azurite,) = components["azurite"]
    with pytest.raises(SandboxError, match="no route to host"):
        build(compose, "builder-1", f"FROM scratch\nADD http://{azurite}/ /answer\n")


def test_a_run_step_resolves_names_like_the_builder(compose):
    dockerfile = f"FROM {IMAGE}\nRUN getent hosts builder-2 && cat /etc/resolv.conf\n"
    assert "builder-2" in build(compose, "builder-1", dockerfile)


def test_a_run_step_cannot_use_the_network_of_the_builder(compose):
    dockerfile = f"FROM {IMAGE}\nRUN --network=host true\n"
    with pytest.raises(SandboxError, match=r"network\.host is not allowed"):
        build(compose, "builder-1", dockerfile, "--allow", "network.host")


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_builder_with_the_firewall_has_the_label(compose, builder):
    inside(compose, builder, *CHECK)
    labels = inside(compose, builder, "docker", "info", "--format", "{{json .Labels}}")
    assert json.loads(labels) == ["com.manifest-engine.network=restricted"]


def test_a_lost_rule_is_detected_and_restored_by_a_restart(compose, components):
    inside(compose, "builder-2", "iptables", "-F", "DOCKER-USER")
    with pytest.raises(SandboxError, match="firewall is not in force"):
        inside(compose, "builder-2", *CHECK)
    compose.compose("restart", "--timeout", "3", "builder-2")
    compose.compose("up", "--detach", "--no-recreate", "--wait", "builder-2", seconds=180)
    inside(compose, "builder-2", *CHECK)
    (redis,) = components["redis"]
    assert probe(compose, "builder-2", redis) == {redis: REFUSED}


def test_the_list_of_allowed_addresses_takes_networks_ports_and_both_families():
    rules, given = written("10.20.0.0/16 10.30.0.5:443,[fd12::5]:8443 fd13::/64")
    assert "-A MANIFEST-ENGINE -d 10.20.0.0/16 -j RETURN" in rules
    assert "-A MANIFEST-ENGINE -d 10.30.0.5/32 -p tcp -m tcp --dport 443 -j RETURN" in rules
    assert "-A MANIFEST-ENGINE -d fd12::5/128 -p tcp -m tcp --dport 8443 -j RETURN" in rules
    assert "-A MANIFEST-ENGINE -d fd13::/64 -j RETURN" in rules
    assert given[0] == "dockerd"
    assert given[-1] == "--label=com.manifest-engine.network=restricted"


def test_an_allowed_network_never_includes_metadata_or_the_builders_networks():
    rules, _ = written("0.0.0.0/1 128.0.0.0/1")
    allowed = min(number for number, rule in enumerate(rules) if "-d 0.0.0.0/1 " in rule)
    before = [rule.split()[3] for rule in rules[:allowed] if "-j REJECT" in rule]
    assert {"169.254.0.0/16", "168.63.129.16/32", SETTINGS.engine_network} <= {*before}


def test_a_builder_does_not_start_with_an_invalid_allowed_address():
    with pytest.raises(SandboxError, match=r"BUILDER_ALLOWED: 10\.20\.0\.0/160 is no address"):
        written("10.20.0.0/160")


def written(allowed: str) -> tuple[list[str], list[str]]:
    """Firewall rules and arguments of dockerd of a builder that starts with this list."""
    image = Compose().containers("builder-1")[0]["Image"]
    script = base64.b64encode((REPOSITORY / "compose/builder-firewall.sh").read_bytes()).decode()
    stub = (
        "iptables -S MANIFEST-ENGINE; ip6tables -S MANIFEST-ENGINE; for word; do echo =$word; done"
    )
    command = (
        f"echo {script} | base64 -d >/start && mkdir /stub && echo '{stub}' >/stub/$ENTRY"
        " && chmod +x /stub/$ENTRY && PATH=/stub:$PATH sh /start dockerd 2>&1"
    )
    variables = ("--env", f"BUILDER_ALLOWED={allowed}", "--env", "ENTRY=dockerd-entrypoint.sh")
    words = ("run", "--rm", "--privileged", "--entrypoint", "sh", *variables, image, "-c", command)
    said = docker_cli.docker(*words, host=Engine().host, what="starting", seconds=60)
    lines = said.splitlines()
    return lines, [line[1:] for line in lines if line.startswith("=")]


def probe(compose: Compose, builder: str, *targets: str) -> dict[str, str]:
    """The result of a connection from a RUN step, by ``address:port``."""
    dockerfile = (
        f"FROM {IMAGE}\nCOPY <<'END' /probe.py\n{PROBE}END\n"
        f"RUN python3 /probe.py {' '.join(targets)}\n"
    )
    lines = build(compose, builder, dockerfile).splitlines()
    said = [line.split("PROBE ", 1)[1].split(" ", 1) for line in lines if " PROBE " in line]
    return dict(said)


def build(compose: Compose, builder: str, dockerfile: str, *options: str) -> str:
    """Build on a builder and return the output. Raises SandboxError with the output."""
    text = base64.b64encode(dockerfile.encode()).decode()
    options = ("--no-cache", "--progress", "plain", "--output", "type=cacheonly", *options)
    command = f"echo {text} | base64 -d | docker buildx build {' '.join(options)} - 2>&1"
    return inside(compose, builder, "sh", "-c", command)


def inside(compose: Compose, builder: str, *words: str) -> str:
    return compose.compose("exec", "--no-TTY", builder, *words, seconds=180)


def answers(target: str) -> bool:
    """Whether this machine can connect to ``address:port``."""
    address, _, port = target.rpartition(":")
    try:
        socket.create_connection((address, int(port)), 3).close()
    except OSError:
        return False
    return True
