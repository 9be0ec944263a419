"""Paths and sources of files and volumes."""

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.manifest.manifest import parse

MINIMAL = {
    "component": "pricing",
    "serviceName": "quotes",
    "version": "1.4.0",
    "environment": "dev",
}


def refusal(**changes):
    with pytest.raises(ManifestError) as caught:
        parse(MINIMAL | changes)
    return str(caught.value)


@pytest.mark.parametrize(
    "path", ["/etc/quotes", "/code/config", "/tmp", "/mnt/x.y-z_1", "/dev/shm", "/run/quotes"]
)
def test_a_volume_may_be_below_the_folders_of_the_image(path):
    assert parse(MINIMAL | {"volumes": {path: {"emptyDir": {}}}}).volumes


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "etc/x", "/etc/", "//x", "/a/../etc", "/./x", "/a b", "/a\n", "/a:b", "/a'b"),
        *("/etc", "/code", "/usr/bin", "/var/run", "/run", "/lib64"),
        *("/proc", "/proc/1", "/sys/fs", "/dev", "/dev/termination-log", "/dev/shm/x"),
        *("/var/run/secrets", "/var/run/secrets/azure/tokens", "/run/secrets/x"),
        *("/etc/hosts", "/etc/resolv.conf", "/etc/hostname"),
    ],
)
def test_system_and_tokens_cannot_be_hidden_by_a_volume_or_a_file(path):
    assert "volumes: " in refusal(volumes={path: {"emptyDir": {}}})
    assert "files: " in refusal(files={path: "x"})


def test_mounts_do_not_overlap():
    volume = {"/etc/quotes": {"emptyDir": {}}}
    assert "/etc/quotes/a lies in /etc/quotes" in refusal(
        volumes=volume, files={"/etc/quotes/a": ""}
    )
    assert "is in files and in volumes" in refusal(volumes=volume, files={"/etc/quotes": ""})
    assert "lies in" in refusal(files={"/etc/quotes": "", "/etc/quotes/a": ""})
    assert parse(MINIMAL | {"volumes": volume, "files": {"/etc/quotes2/a": ""}})


@pytest.mark.parametrize("volume", [{}, {"secret": "a", "configMap": "b", "keys": ["k"]}])
def test_a_volume_has_exactly_one_source(volume):
    assert "exactly one of secret, configMap" in refusal(volumes={"/x": volume})


def test_the_keys_of_a_secret_are_named():
    assert "name the keys of the Secret" in refusal(volumes={"/x": {"secret": "pricing-quotes"}})
    assert "has none" in refusal(volumes={"/x": {"emptyDir": {}, "keys": ["a"]}})
    assert "not the key" in refusal(volumes={"/x": {"secret": "a", "keys": ["../a"]}})


def test_a_host_path_is_no_source():
    assert "unknown key 'volumes./x.hostPath'" in refusal(volumes={"/x": {"hostPath": "/"}})


def test_the_number_of_files_is_limited():
    assert "at most 32" in refusal(files={f"/etc/quotes/{number}": "" for number in range(33)})


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("app.kubernetes.io/name", "set by Manifest Engine or by Kubernetes"),
        ("manifest-engine.io/smoke-test-of", "set by Manifest Engine or by Kubernetes"),
        ("pod-template-hash", "set by Manifest Engine or by Kubernetes"),
        ("azure.workload.identity/use", "one of the platform"),
        ("sidecar.istio.io/inject", "one of the platform"),
        ("pod-security.kubernetes.io/enforce", "one of the platform"),
        ("a b", "not the key of a Kubernetes label"),
    ],
)
def test_labels_of_platform_and_selectors_are_refused(key, said):
    assert said in refusal(labels={key: "x"})


def test_the_value_of_a_label_is_checked():
    assert "is not the value of a label" in refusal(labels={"team": "a b"})


@pytest.mark.parametrize("name", ["ALL", "CAP_CHOWN", "chown", ""])
def test_a_capability_is_one_by_its_name(name):
    assert "is not one Linux capability" in refusal(security={"capabilities": [name]})
