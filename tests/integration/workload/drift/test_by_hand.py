"""Changes by hand with kubectl between two deployments, in the real cluster."""

from __future__ import annotations

import logging

import pytest
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.services.drift import by_hand
from manifest_engine.services.dry_run import dry_run
from manifest_engine.services.dry_run.cluster import DryRunHook
from manifest_engine.services.workload.workload import Workload

from tests.integration.names import NAME

SHUTDOWN = "SHUTDOWN_SECONDS"
LOG = logging.getLogger("tests")
DEPLOYMENT = f"deployment/{NAME}"


@pytest.fixture
def hand(kube, namespace):
    """Runs kubectl in the namespace."""

    def run(*words):
        return kube(*words, "-n", namespace)

    return run


@pytest.fixture
def validate():
    """Checks a release as ``validate`` does; returns the release that ``validate`` pushes."""

    def run(release):
        workload = Workload.of(release.environment, release.name, policy=Policy.of(release))
        return by_hand.admit(release, workload.hook, workload.live(), LOG)

    return run


def env(get):
    variables = get(DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0].get("env", [])
    return {item["name"]: item["value"] for item in variables if item["name"] != SHUTDOWN}


def previewed(release, digest):
    hook = DryRunHook(release.environment.cluster.connection)
    dry_run.in_cluster(release, hook, digest, {"sha256": "a" * 64}, LOG)
    change = next(item for item in hook.changes if item.kind == "Deployment")
    return {item.field: (item.before, item.after) for item in change.fields}


def test_a_scaling_by_hand_is_found_before_the_build_and_overwritten_on_request(
    *, apply, make_release, validate, hand, get
):
    apply(make_release())
    hand("scale", DEPLOYMENT, "--replicas=2")

    said = (
        f"'kubectl' set spec.replicas of Deployment '{NAME}' to 2; the release sets 1. Put the "
        "values into the manifest"
    )
    with pytest.raises(ClusterError, match=said) as raised:
        validate(make_release(version="2"))
    assert "takeOver: true" in str(raised.value)
    with pytest.raises(ClusterError, match=said):
        apply(make_release(version="2"))
    assert get(DEPLOYMENT)["spec"]["replicas"] == 2

    done = apply(validate(make_release(version="2", takeOver=True)))

    assert get(DEPLOYMENT)["spec"]["replicas"] == 1
    assert done["overwritten"] == [
        f"'kubectl' set spec.replicas of Deployment '{NAME}' to 2; the release sets 1"
    ]
    done = apply(validate(make_release(version="2", replicas=2)))
    assert done["overwritten"] == []
    assert get(DEPLOYMENT)["spec"]["replicas"] == 2


def test_a_reverted_scaling_blocks_nothing(apply, make_release, validate, hand, get):
    apply(make_release())
    hand("scale", DEPLOYMENT, "--replicas=3")
    hand("scale", DEPLOYMENT, "--replicas=1")

    apply(validate(make_release(replicas=2)))

    assert get(DEPLOYMENT)["spec"]["replicas"] == 2


def test_an_added_variable_and_a_restart_are_shown_and_reverted_in_one_rollout(
    *, apply, make_release, validate, hand, get, digest, caplog
):
    apply(make_release(env={"TEXT": "first"}))
    hand("set", "env", DEPLOYMENT, "DEBUG=1", "DB_PASSWORD=old-hat")
    hand("rollout", "restart", DEPLOYMENT)
    before = get(DEPLOYMENT)["metadata"]["generation"]
    release = make_release(version="2", env={"TEXT": "second"})

    with caplog.at_level("WARNING"):
        release = validate(release)
    assert "'kubectl-set' set spec.template.spec.containers[app].env[DEBUG]" in caplog.text
    assert "'kubectl-rollout' set spec.template.metadata.annotations" in caplog.text
    assert "old-hat" not in caplog.text
    shown = previewed(release, digest)
    assert shown["spec.template.spec.containers[app].env[DEBUG].value"] == ('"1"', "(none)")
    assert get(DEPLOYMENT)["metadata"]["generation"] == before
    done = apply(release)

    assert env(get) == {"TEXT": "second"}
    template = get(DEPLOYMENT)["spec"]["template"]
    assert "annotations" not in template["metadata"]
    assert get(DEPLOYMENT)["metadata"]["generation"] == before + 1
    assert len(done["overwritten"]) == 3
    assert apply(make_release(version="2", env={"TEXT": "second"}))["changed"] is False


@pytest.mark.parametrize("rule", ["refuse", "report"])
def test_the_environment_may_refuse_or_only_report_added_fields(
    *, apply, make_release, validate, hand, get, rule
):
    cluster = {"drift": rule}
    apply(make_release(cluster=cluster))
    hand("set", "env", DEPLOYMENT, "DEBUG=1")
    release = make_release(version="2", cluster=cluster)

    if rule == "refuse":
        with pytest.raises(ClusterError, match=r"env\[DEBUG\] .*; the release does not set it"):
            validate(release)
    else:
        apply(validate(release))

    assert env(get) == {"DEBUG": "1"}


def test_a_changed_image_and_an_undone_rollout_are_found(
    *, apply, make_release, validate, hand, get, digest
):
    apply(make_release(env={"TEXT": "first"}))
    apply(make_release(version="2", env={"TEXT": "second"}))
    hand("rollout", "undo", DEPLOYMENT)
    with pytest.raises(ClusterError) as raised:
        validate(make_release(version="2", env={"TEXT": "second"}))
    assert (
        "'kubectl' set spec.template.spec.containers[app].env[TEXT].value of Deployment "
        f'\'{NAME}\' to "first"; the release sets "second"'
    ) in str(raised.value)
    apply(validate(make_release(version="2", env={"TEXT": "second"}, takeOver=True)))
    assert env(get) == {"TEXT": "second"}

    hand("set", "image", DEPLOYMENT, "app=other.example/image:1")
    with pytest.raises(ClusterError, match=r"'kubectl-set' set .*image .*other\.example/image:1"):
        validate(make_release(version="3", env={"TEXT": "third"}))


def test_a_scaling_during_the_rollout_does_not_prevent_the_rollback(
    *, apply, make_release, hand, get, digest, namespace
):
    from manifest_engine.domain.release import history
    from manifest_engine.domain.workload import resources
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    apply(make_release())
    failing = make_release(version="2", env={"MODE": "crash"})
    workload = Workload(ClusterHook("kubernetes_default"), namespace, NAME)
    live = workload.live()
    workload.apply(history.carry_over(resources.workload(failing, digest, {}), live), live)
    hand("scale", DEPLOYMENT, "--replicas=2")

    assert workload.roll_back_run(failing.run_id) == "Rolled back to version 1, which is serving."

    assert get(DEPLOYMENT)["spec"]["replicas"] == 1


def test_a_changed_service_is_found_and_named(apply, make_release, validate, hand):
    apply(make_release())
    patch = '{"spec": {"ports": [{"port": 80, "targetPort": 9000}]}}'
    hand("patch", f"service/{NAME}", "--field-manager=kubectl-edit", "-p", patch)

    with pytest.raises(ClusterError, match=r"'kubectl-edit' set spec.ports\[80/TCP\].targetPort"):
        validate(make_release())
