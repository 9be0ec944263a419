"""``restart_service``: replaces the pods of the live release by new pods."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.release.request import ServiceRequest
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.record.record_release import RecordRelease
from manifest_engine.operators.release.validate_restart import ValidateRestart
from manifest_engine.operators.release.validate_rollback import ARTIFACT, PUSH
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.operators.smoke.smoke_test import SmokeTest
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment
from manifest_engine.operators.workload.watch_release import WatchRelease

GUIDE = """
### Restart a service

Replaces the pods of the live release by new pods of the same image and manifest, for example after
a change of a Secret or ConfigMap. Smoke test, rollout and check of the URL are the same as in a
deployment: if the new pods do not become available, the old pods keep running. No approval is
needed, because nothing new is deployed.

**Fill in** component, service name and environment.

**If a task fails**, the last line of its log says why and what to do (also in its XCom `error`).
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="restart_service",
    dag_display_name="Restart a service",
    description="Replaces the pods of the live release by new pods",
    doc_md=GUIDE,
    params=dag_settings.params(form.request_fields(ServiceRequest, ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateRestart(task_id="validate_restart")
    release, artifact, push = validate.output, validate.output[ARTIFACT], validate.output[PUSH]
    smoke = SmokeTest(task_id="smoke_test", release=release, push=push, **dag_settings.HEAVY)
    deploy = ApplyDeployment(
        task_id="apply_deployment",
        release=release,
        artifact=artifact,
        push=push,
        verdict=smoke.output,
    )
    publish = PublishRoute(task_id="publish_route", release=release)
    watch = WatchRelease(task_id="watch_release", release=release, deployment=deploy.output)
    record = RecordRelease(
        task_id="record_release",
        release=release,
        artifact=artifact,
        push=push,
        deployment=deploy.output,
        route=publish.output,
    )
    chain(validate, smoke, deploy, publish, watch, record)
