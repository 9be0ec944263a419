"""A rotated Secret reaches the pods of a redeploy, and a restart starts new pods."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from manifest_engine.domain.environment import environments
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import release
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.errors import Forbidden
from manifest_engine.operators.release.validate_restart import ValidateRestart

from tests.integration.names import COMPONENT, NAME

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


def test_a_restart_of_the_live_release_is_planned_from_its_record(
    *, apply, make_release, context, sandbox, digest, get, monkeypatch
):
    monkeypatch.setattr(environments, "load", lambda: {"dev": make_release().environment})
    login = {"login": sandbox["REGISTRY_USER"], "password": sandbox["REGISTRY_PASSWORD"]}
    connection = {"conn_type": "acr", "host": sandbox["REGISTRY"]} | login
    monkeypatch.setenv("AIRFLOW_CONN_ACR_DEFAULT", json.dumps(connection))
    apply(make_release(env={"TEXT": "kept"}))
    dag_run = SimpleNamespace(
        conf={"component": COMPONENT, "serviceName": "service", "environment": "dev"},
        run_id="restart",
        run_after=datetime.now(UTC),
        run_type="manual",
        triggering_user_name="ada",
    )
    made = context("restart") | {"dag_run": dag_run}

    planned = release.load(ValidateRestart(task_id="validate_restart").execute(made))

    assert made["pushed"]["push"]["digest"] == digest
    assert planned.manifest.env == {"TEXT": "kept"}
    assert planned.requested_by == "ada"
    assert apply(planned)["changed"] is True
    assert annotation.RESTARTED_AT in pods(get)[1]
