"""A rotated Secret reaches the pods of a redeploy, and a restart starts new pods."""

from __future__ import annotations

import pytest
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.errors import Forbidden

from tests.integration.names import NAME

MANIFEST = f"""
apiVersion: v1
kind: Secret
metadata: {{{{name: {NAME}, namespace: {{namespace}}}}}}
stringData: {{{{text: {{value}}}}}}
"""


@pytest.fixture
def secret(kube, namespace):
    """Writes the Secret of the service."""

    def write(value):
        kube("apply", "-f", "-", given=MANIFEST.format(namespace=namespace, value=value))

    yield write
    kube("delete", "secret", NAME, "-n", namespace)


def pods(get):
    """The ReplicaSet of the live pods, and the Secret's versions that the template records."""
    live = get(f"deployment/{NAME}")
    recorded = live["spec"]["template"]["metadata"].get("annotations", {})
    return live["metadata"]["generation"], recorded


def test_a_rotated_secret_rolls_out_and_an_unchanged_one_does_not(
    *, apply, make_release, secret, get, kube, namespace
):
    fields = {"secretEnv": {"TEXT": f"{NAME}/text"}}
    secret("first")
    apply(make_release(**fields))
    _, before = pods(get)

    assert apply(make_release(**fields))["changed"] is False
    secret("rotated-value")
    assert apply(make_release(**fields))["changed"] is True

    _, after = pods(get)
    assert before[annotation.READS] != after[annotation.READS]
    assert "rotated-value" not in str(get(f"deployment/{NAME}"))
    said = kube("exec", f"deployment/{NAME}", "-n", namespace, "--", "printenv", "TEXT")
    assert said.strip() == "rotated-value"


def test_a_restart_starts_new_pods_once(apply, make_release, get):
    apply(make_release())
    assert apply(make_release(restart=True))["changed"] is True
    generation, recorded = pods(get)
    assert generation == 2
    assert annotation.RESTARTED_AT in recorded
    assert apply(make_release())["changed"] is False


def test_without_the_right_the_log_says_so_and_the_recorded_version_stays(
    *, apply, make_release, secret, monkeypatch, capsys
):
    fields = {"secretEnv": {"TEXT": f"{NAME}/text"}}
    secret("first")
    apply(make_release(**fields))

    def forbidden(*_what):
        raise Forbidden("The account may not get secrets.")

    monkeypatch.setattr(ClusterHook, "metadata", forbidden)
    assert apply(make_release(**fields))["changed"] is False
    assert f"not known whether Secret/{NAME} was changed" in capsys.readouterr().out
