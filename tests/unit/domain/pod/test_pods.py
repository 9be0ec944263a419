"""Pods of a real platform: placement, labels, defaults, volumes and privileges."""

import pytest
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.pod import placement, pod_security
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.smoke.pod import smoke_pod
from manifest_engine.domain.workload.resources import workload

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release


def template(**fields):
    return workload(make_release(**fields), DIGEST, ARTIFACT)[0]["spec"]["template"]


def pod(**fields):
    return template(**fields)["spec"]


def container(**fields):
    return pod(**fields)["containers"][0]


def smoke(**fields):
    return smoke_pod(make_release(**fields), DIGEST)


def config_map(**fields):
    found = workload(make_release(**fields), DIGEST, ARTIFACT)
    return next((item for item in found if item["kind"] == "ConfigMap"), None)


def env(made):
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in made["env"]}


def test_replicas_spread_over_nodes_and_zones_without_ever_blocking():
    nodes, zones = pod()["topologySpreadConstraints"]
    assert (nodes["topologyKey"], zones["topologyKey"]) == (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    )
    labels = template()["metadata"]["labels"]
    for one in (nodes, zones):
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
        assert one["labelSelector"]["matchLabels"].items() <= labels.items()
        assert one["matchLabelKeys"] == ["pod-template-hash"]
    assert "topologySpreadConstraints" not in pod(pods={"topologySpread": []})


def test_the_environment_places_and_marks_every_pod():
    pods = {
        "tolerations": [{"key": "pool", "value": "apps", "effect": "NoSchedule"}],
        "labels": {"cost-center": "42"},
        "annotations": {"prometheus.io/scrape": "true"},
        "priorityClass": "services",
    }
    for metadata, spec in (
        (template(pods=pods)["metadata"], template(pods=pods)["spec"]),
        (smoke(pods=pods)["metadata"], smoke(pods=pods)["spec"]),
    ):
        assert spec["tolerations"] == [
            {"key": "pool", "operator": "Equal", "value": "apps", "effect": "NoSchedule"}
        ]
        assert spec["priorityClassName"] == "services"
        assert metadata["labels"]["cost-center"] == "42"
        assert metadata["annotations"]["prometheus.io/scrape"] == "true"


def test_variables_of_the_manifest_win_over_those_of_the_environment():
    pods = {"env": {"REGION": "west", "LEVEL": "info", "DB": "none"}}
    made = env(container(pods=pods, env={"LEVEL": "debug"}, secretEnv={"DB": "pricing-quotes/db"}))
    assert (made["REGION"], made["LEVEL"]) == ("west", "debug")
    assert made["DB"] == {"secretKeyRef": {"name": "pricing-quotes", "key": "db"}}


def test_a_value_of_resources_comes_from_manifest_environment_or_default():
    pods = {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}}
    asked = {"requests": {"memory": "256Mi"}}
    assert container(pods=pods, resources=asked)["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert container()["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }


def test_resources_that_are_not_given_stay_so_in_the_record():
    release = make_release(resources={"requests": {"cpu": "20m"}})
    assert annotation.manifest(release)["resources"] == {"requests": {"cpu": "20m"}}
    assert "resources" not in annotation.manifest(make_release())


def test_a_request_above_a_default_limit_is_refused_with_both():
    with pytest.raises(ManifestError, match=r"requests\.memory 600Mi is more than"):
        make_release(resources={"requests": {"memory": "600Mi"}})


def test_command_and_arguments_arrive_exactly():
    made = container(command=["run", "$(HOME)"], args=["--price", "$5", ""])
    assert made["command"] == ["run", "$$(HOME)"]
    assert made["args"] == ["--price", "$$5", ""]
    assert not {"command", "args"} & container().keys()


FILES = {"/etc/quotes/a.yaml": "level: info\n", "/etc/quotes/b.yaml": "ü"}


def test_files_are_one_config_map_mounted_read_only_at_their_paths():
    made, spec = config_map(files=FILES), pod(files=FILES)
    assert made["immutable"] is True
    assert spec["volumes"] == [{"name": "files", "configMap": {"name": made["metadata"]["name"]}}]
    mounts = spec["containers"][0]["volumeMounts"]
    assert {item["mountPath"]: made["data"][item["subPath"]] for item in mounts} == FILES
    assert all(item["readOnly"] for item in mounts)
    assert config_map() is None


def test_changed_files_have_another_name_and_unchanged_files_the_same():
    names = [
        config_map(**fields)["metadata"]["name"]
        for fields in (
            {"files": FILES},
            {"files": FILES, "version": "2"},
            {"files": FILES | {"/etc/quotes/b.yaml": "u"}},
            {"files": {"/etc/other/a.yaml": "level: info\n"}},
        )
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.startswith("pricing-quotes-files-") for name in names)


def test_the_smoke_pod_has_the_same_files_without_a_config_map():
    made = smoke(files=FILES)
    (volume,) = made["spec"]["volumes"]
    files = {}
    service = next(item for item in made["spec"]["containers"] if item["name"] == "app")
    for mount in service["volumeMounts"]:
        item = next(
            item for item in volume["downwardAPI"]["items"] if item["path"] == mount["subPath"]
        )
        key = item["fieldRef"]["fieldPath"].removeprefix("metadata.annotations['").rstrip("']")
        files[mount["mountPath"]] = made["metadata"]["annotations"][key]
    assert files == FILES


def test_volumes_come_from_secrets_config_maps_key_vault_and_empty_folders():
    volumes = {
        "/etc/tls": {"secret": "pricing-quotes-tls", "keys": ["tls.crt"]},
        "/etc/app": {"configMap": "pricing-quotes-app"},
        "/mnt/vault": {"secretProviderClass": "pricing-quotes-kv"},
        "/tmp/cache": {"emptyDir": {"sizeLimit": "2Gi", "medium": "Memory"}},
    }
    spec = pod(volumes=volumes)
    sources = {item.pop("name"): item for item in spec["volumes"]}
    mounts = {item["mountPath"]: item for item in spec["containers"][0]["volumeMounts"]}
    assert {path: sources[mount["name"]] for path, mount in mounts.items()} == {
        "/etc/tls": {
            "secret": {
                "secretName": "pricing-quotes-tls",
                "items": [{"key": "tls.crt", "path": "tls.crt"}],
            }
        },
        "/etc/app": {"configMap": {"name": "pricing-quotes-app"}},
        "/mnt/vault": {
            "csi": {
                "driver": "secrets-store.csi.k8s.io",
                "readOnly": True,
                "volumeAttributes": {"secretProviderClass": "pricing-quotes-kv"},
            }
        },
        "/tmp/cache": {"emptyDir": {"sizeLimit": "2Gi", "medium": "Memory"}},
    }
    assert [path for path, mount in mounts.items() if not mount.get("readOnly")] == ["/tmp/cache"]
    assert smoke(volumes=volumes)["spec"]["volumes"] == pod(volumes=volumes)["volumes"]


def test_a_service_account_brings_workload_identity():
    made = template(serviceAccount="quotes", cluster={"serviceAccount": "other"})
    assert made["spec"]["serviceAccountName"] == "quotes"
    assert made["metadata"]["labels"][label.WORKLOAD_IDENTITY] == "true"
    assert smoke(serviceAccount="quotes")["metadata"]["labels"][label.WORKLOAD_IDENTITY] == "true"
    assert label.WORKLOAD_IDENTITY not in template()["metadata"]["labels"]


def test_labels_are_on_the_pods_and_never_replace_ours():
    made = workload(make_release(labels={"team": "pricing"}), DIGEST, ARTIFACT)[0]
    ours = workload(make_release(), DIGEST, ARTIFACT)[0]
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels == ours["spec"]["template"]["metadata"]["labels"] | {"team": "pricing"}
    assert made["spec"]["selector"] == ours["spec"]["selector"]


def test_an_image_may_be_process_1_run_as_root_and_keep_a_capability():
    security = {"pid1": True, "runAsRoot": True, "capabilities": ["CHOWN"]}
    spec = pod(security=security)
    assert spec["shareProcessNamespace"] is False
    assert spec["securityContext"]["runAsUser"] == 0
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]},
    }


RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
BASELINE = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}


def test_a_restricted_namespace_takes_no_root():
    release = pod_security.plan(make_release(), RESTRICTED)
    spec = workload(release, DIGEST, ARTIFACT)[0]["spec"]["template"]["spec"]
    assert spec["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsNonRoot": True,
    }


@pytest.mark.parametrize(
    ("namespace", "pods", "non_root"),
    [
        (None, {}, False),
        (BASELINE, {}, False),
        ({"metadata": {}}, {}, False),
        (None, {"allowRoot": False}, True),
        (RESTRICTED, {}, True),
    ],
)
def test_namespace_or_environment_decide_on_root(namespace, pods, non_root):
    assert pod_security.plan(make_release(pods=pods), namespace).non_root is non_root


@pytest.mark.parametrize("security", [{"runAsRoot": True}, {"capabilities": ["CHOWN"]}])
def test_a_restricted_namespace_grants_no_privilege(security):
    release = make_release(security=security, pods={"allowedCapabilities": ["CHOWN"]})
    with pytest.raises(NotAllowed, match=r"enforces the Pod Security level restricted"):
        pod_security.plan(release, RESTRICTED)
    low_port = make_release(security={"capabilities": ["NET_BIND_SERVICE"]})
    assert pod_security.plan(low_port, RESTRICTED).non_root


@pytest.mark.parametrize("user", ["1000", "1000:1000", "65532:app"])
def test_an_image_with_a_numeric_user_may_run_where_no_pod_may_be_root(user):
    pod_security.require_user(pod_security.plan(make_release(), RESTRICTED), user)


@pytest.mark.parametrize(
    ("user", "who"),
    [
        ("", "root"),
        ("0", "root"),
        ("0:0", "root"),
        ("root", "root"),
        ("app:app", "the user 'app', whose number Kubernetes does not know"),
        ("00", "the user '00', whose number Kubernetes does not know"),
    ],
)
def test_any_other_image_is_refused_with_the_remedy(user, who):
    release = pod_security.plan(make_release(), RESTRICTED)
    with pytest.raises(ManifestError) as refused:
        pod_security.require_user(release, user)
    assert f"runs as {who}, and 'dev' (namespace 'apps')" in str(refused.value)
    assert "add `USER 1000` to the Dockerfile" in str(refused.value)
    pod_security.require_user(make_release(), user)


def test_pods_run_on_nodes_with_the_platform_of_their_image():
    chosen = {"kubernetes.io/arch": "arm64", "pool": "a"}
    made = make_release(platform="linux/arm64", cluster={"nodeSelector": {"pool": "a"}})
    assert placement.placement(made)["nodeSelector"] == chosen
    assert "nodeSelector" not in placement.placement(make_release())
