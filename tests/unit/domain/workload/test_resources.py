"""The objects of a release; the same manifest gives the same objects."""

import json

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.history import carry_over
from manifest_engine.domain.workload.resources import progress_deadline, rollout_seconds, workload

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release


def objects(**fields):
    return workload(make_release(**fields), DIGEST, ARTIFACT)


def deployment(**fields):
    return objects(**fields)[0]


def pod(**fields):
    return deployment(**fields)["spec"]["template"]["spec"]


def container(**fields):
    return pod(**fields)["containers"][0]


def kinds(**fields):
    return [item["kind"] for item in objects(**fields)]


def live(objects, *, reason="NewReplicaSetAvailable", generation=1, updated=1):
    """The Deployment of ``objects`` with a status, as the cluster shows it."""
    made = json.loads(json.dumps(objects[0]))
    made["metadata"]["generation"] = generation
    condition = {"type": "Progressing", "status": "True", "reason": reason}
    made["status"] = {
        "observedGeneration": generation,
        "updatedReplicas": updated,
        "conditions": [condition],
    }
    return made


def test_the_image_is_deployed_by_digest():
    assert container()["image"] == f"registry.example/datafactory/pricing/quotes@{DIGEST}"


def test_the_selector_does_not_depend_on_the_release():
    chosen = deployment(version="1.0")["spec"]["selector"]
    assert chosen == deployment(version="2.0")["spec"]["selector"]
    assert set(chosen["matchLabels"]) == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/component",
    }


def test_service_and_budget_select_the_pods_of_the_deployment():
    made, service, budget = objects(replicas=2)
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_a_single_replica_has_no_disruption_budget():
    assert kinds(replicas=1) == ["Deployment", "Service"]


def test_with_autoscale_replicas_is_not_set():
    scale = {"minReplicas": 1, "maxReplicas": 3}
    assert "replicas" not in deployment(autoscale=scale)["spec"]
    assert kinds(autoscale=scale) == ["Deployment", "Service", "HorizontalPodAutoscaler"]


@pytest.mark.parametrize(("replicas", "surge"), [(1, "100%"), (3, "100%"), (4, "25%")])
def test_no_pod_stops_before_its_successor_is_ready_and_a_few_start_together(replicas, surge):
    strategy = deployment(replicas=replicas)["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": surge}


@pytest.mark.parametrize(
    ("fields", "shutdown"),
    [
        ({}, 60),
        ({"route": {"timeoutSeconds": 120}}, 120),
        ({"shutdownSeconds": 90}, 90),
        ({"route": {"timeoutSeconds": 0}}, 60),
        ({"route": {"timeoutSeconds": 0}, "shutdownSeconds": 10}, 10),
    ],
)
def test_a_pod_drains_and_then_has_the_shutdown_time_for_its_requests(fields, shutdown):
    assert container(**fields)["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    assert pod(**fields)["terminationGracePeriodSeconds"] == 5 + shutdown + 5
    assert {"name": "SHUTDOWN_SECONDS", "value": str(shutdown)} in container(**fields)["env"]
    assert pod()["shareProcessNamespace"] is True


def test_the_manifest_may_set_the_variable_of_the_shutdown_time_itself():
    assert container(env={"SHUTDOWN_SECONDS": "7"})["env"] == [
        {"name": "SHUTDOWN_SECONDS", "value": "7"}
    ]


def test_a_container_that_a_probe_ends_does_not_get_the_whole_shutdown_time():
    made = container(shutdownSeconds=300)
    for kind in ("startupProbe", "livenessProbe"):
        assert made[kind]["terminationGracePeriodSeconds"] == 20


def test_a_rollout_waits_for_old_pods_that_end_and_make_room():
    short, long = make_release(shutdownSeconds=10), make_release(shutdownSeconds=300)
    assert progress_deadline(long) - progress_deadline(short) == 310 - 240


def test_probes_ask_the_health_path_on_the_service_port():
    made = container(healthPath="/up?deep=1", port=9000)
    assert made["ports"][0]["containerPort"] == 9000
    for kind in ("startupProbe", "readinessProbe"):
        assert made[kind]["httpGet"] == {"path": "/up?deep=1", "port": "http", "scheme": "HTTP"}


def test_liveness_does_not_follow_the_health_path_which_may_ask_a_database():
    alive = container(healthPath="/up")["livenessProbe"]
    assert alive["tcpSocket"] == {"port": "http"}
    assert "httpGet" not in alive


def test_liveness_can_have_a_path_of_its_own_or_no_check():
    alive = container(liveness={"kind": "http", "path": "/livez"})["livenessProbe"]
    assert alive["httpGet"]["path"] == "/livez"
    assert "livenessProbe" not in container(liveness={"kind": "none"})


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 60),
        ({"startupSeconds": 90}, 90),
        ({"startupSeconds": 5, "smokeTest": {"timeoutSeconds": 90}}, 5),
        ({"smokeTest": {"timeoutSeconds": 10}}, 60),
        ({"smokeTest": {"timeoutSeconds": 90}}, 90),  # as before startupSeconds existed
    ],
)
def test_the_startup_time(fields, seconds):
    started = container(**fields)["startupProbe"]
    assert started["failureThreshold"] * started["periodSeconds"] == seconds
    deadline = progress_deadline(make_release(**fields))
    assert deadline - progress_deadline(make_release()) == 2 * (seconds - 60)


@pytest.mark.parametrize(
    ("asked", "check"),
    [
        ({"kind": "tcp"}, {"tcpSocket": {"port": "http"}}),
        ({"kind": "tcp", "port": 9000}, {"tcpSocket": {"port": 9000}}),
        ({"kind": "grpc", "port": 50051}, {"grpc": {"port": 50051, "service": ""}}),
        ({"kind": "grpc", "grpcService": "q"}, {"grpc": {"port": 8002, "service": "q"}}),
        ({"kind": "exec", "command": ["/check"]}, {"exec": {"command": ["/check"]}}),
    ],
)
def test_a_service_without_http_at_its_health_port_is_checked_in_another_way(asked, check):
    made = container(readiness=asked)
    for kind in ("startupProbe", "readinessProbe"):
        assert made[kind].items() >= check.items()


def test_each_check_has_its_own_pace():
    asked = {"periodSeconds": 7, "timeoutSeconds": 6, "failureThreshold": 4}
    made = container(readiness=asked, liveness=asked | {"timeoutSeconds": 9})
    assert made["readinessProbe"].items() >= asked.items()
    assert made["livenessProbe"].items() >= (asked | {"timeoutSeconds": 9}).items()
    assert made["startupProbe"]["timeoutSeconds"] == 6


def test_a_dollar_in_a_variable_is_not_expanded():
    made = container(env={"PRICE": "$(HOME) $5"})["env"]
    assert {"name": "PRICE", "value": "$$(HOME) $$5"} in made


def test_a_secret_is_referenced_and_never_read():
    reference = {"secretKeyRef": {"name": "quote-db", "key": "password"}}
    made = container(secretEnv={"DB": "quote-db/password"})["env"]
    assert {"name": "DB", "valueFrom": reference} in made


def test_the_container_has_no_privileges_but_may_run_as_root():
    made = container()["securityContext"]
    assert made == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod()["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


def test_the_environment_sets_node_selector_service_account_and_pull_secrets():
    given = {
        "imagePullSecrets": ["registry"],
        "serviceAccount": "quotes",
        "nodeSelector": {"pool": "apps"},
    }
    made = pod(cluster=given)
    assert made["imagePullSecrets"] == [{"name": "registry"}]
    assert made["serviceAccountName"] == "quotes"
    assert made["nodeSelector"] == {"pool": "apps"}


def test_without_a_service_account_no_token_is_mounted():
    assert pod()["automountServiceAccountToken"] is False
    assert "automountServiceAccountToken" not in pod(cluster={"serviceAccount": "quotes"})


def test_annotations_of_the_run_are_not_on_the_pod_template():
    made = deployment()
    written = made["metadata"]["annotations"]
    assert written[annotation.RUN_ID] == "run-1"
    assert written[annotation.REQUESTED_BY] == "ada"
    assert written[annotation.REQUESTED_AT] == "2026-01-02T03:04:05+00:00"
    assert written[annotation.DIGEST] == DIGEST
    assert written[annotation.ARTIFACT_SHA256] == "a" * 64
    assert json.loads(written[annotation.MANIFEST])["serviceName"] == "quotes"
    assert "annotations" not in made["spec"]["template"]["metadata"]


def test_two_runs_with_the_same_manifest_have_the_same_hash():
    one = deployment(run_id="run-1")["metadata"]["annotations"]
    two = deployment(run_id="run-2")["metadata"]["annotations"]
    assert one[annotation.RELEASE_HASH] == two[annotation.RELEASE_HASH]


@pytest.mark.parametrize(
    "change",
    [{"version": "1.1"}, {"env": {"A": "b"}}, {"replicas": 3}, {"owner": "bob"}, {"port": 9}],
)
def test_a_changed_release_has_another_hash(change):
    one, two = deployment()["metadata"]["annotations"], deployment(**change)["metadata"]
    assert one[annotation.RELEASE_HASH] != two["annotations"][annotation.RELEASE_HASH]


def test_applying_the_live_release_again_changes_nothing():
    first = carry_over(objects(run_id="run-1"), None)
    again = carry_over(objects(run_id="run-2"), live(first))
    assert again == first


def test_the_last_good_release_is_the_live_one_after_a_completed_rollout():
    first = objects(version="1.0")
    second = carry_over(objects(version="2.0"), live(first))
    packed = second[0]["metadata"]["annotations"][annotation.LAST_GOOD]
    assert history.restore(packed) == first


def test_a_release_that_never_came_up_is_not_the_last_good_one():
    good = objects(version="1.0")
    bad = carry_over(objects(version="2.0"), live(good))
    third = carry_over(objects(version="3.0"), live(bad, reason="ReplicaSetUpdated"))
    packed = third[0]["metadata"]["annotations"][annotation.LAST_GOOD]
    assert history.restore(packed) == good


def test_a_retry_of_the_same_release_keeps_the_last_good_one():
    good = objects(version="1.0")
    bad = carry_over(objects(version="2.0"), live(good))
    again = carry_over(objects(version="2.0"), live(bad, reason="ReplicaSetUpdated"))
    assert again == bad


def test_a_status_of_an_older_generation_does_not_count():
    shown = live(objects())
    shown["metadata"]["generation"] = 2
    assert history.is_complete(shown) is False


def test_a_status_without_updated_pods_is_not_complete():
    assert history.is_complete(live(objects(), updated=0)) is False
    asleep = live(objects(), updated=0)
    asleep["spec"]["replicas"] = 0
    assert history.is_complete(asleep) is True


def test_a_release_is_marked_as_first_until_one_has_come_up():
    first = carry_over(objects(version="1.0"), None)
    second = carry_over(objects(version="2.0"), live(first, reason="ReplicaSetUpdated"))
    third = carry_over(objects(version="3.0"), live(second))
    marked = [
        annotation.FIRST in item[0]["metadata"]["annotations"] for item in (first, second, third)
    ]
    assert marked == [True, True, False]


@pytest.mark.parametrize(
    ("live_replicas", "fields", "pods"),
    [
        (3, {"replicas": 3}, 3),
        (17, {"autoscale": {"minReplicas": 2, "maxReplicas": 20}}, 17),
        (1, {"autoscale": {"minReplicas": 2, "maxReplicas": 20}}, 2),
    ],
)
def test_a_rollout_has_a_minute_per_pod(live_replicas, fields, pods):
    release = make_release(shutdownSeconds=30, **fields)
    applied = {"spec": {"replicas": live_replicas}}
    assert rollout_seconds(release, applied) == progress_deadline(release) + 60 * pods


def test_a_damaged_record_counts_as_missing():
    assert history.restore("H4sIAAAA") is None
    assert history.restore(None) is None


def test_a_manifest_too_large_to_be_recorded_is_refused():
    with pytest.raises(ManifestError, match="secretEnv"):
        objects(env={f"V{i}": "x" * 3000 for i in range(100)})


def test_smoke_pods_have_no_label_that_the_service_selects():
    from manifest_engine.domain.smoke import pod as smoke_pod

    release = make_release()
    assert not label.match_labels(release).items() <= smoke_pod.labels(release).items()


@pytest.mark.parametrize(
    ("scale", "cpu", "target"),
    [
        ({}, "1", {"type": "AverageValue", "averageValue": "700m"}),
        ({}, "250m", {"type": "AverageValue", "averageValue": "175m"}),
        ({"targetCpuPercent": 60}, "1", {"type": "Utilization", "averageUtilization": 60}),
    ],
)
def test_pods_are_added_by_default_near_the_limit_not_near_a_small_request(scale, cpu, target):
    resources = {
        "requests": {"cpu": "50m", "memory": "1Mi"},
        "limits": {"cpu": cpu, "memory": "1Mi"},
    }
    scale = {"minReplicas": 1, "maxReplicas": 3} | scale
    made = objects(autoscale=scale, resources=resources)[-1]
    assert made["spec"]["metrics"][0]["resource"]["target"] == target
