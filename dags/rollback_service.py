"""``rollback_service``: returns a service to an earlier release, without a build."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.domain.release.rollback import RollbackRequest
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.events import runs
from manifest_engine.operators.record.record_release import RecordRelease
from manifest_engine.operators.release.validate_rollback import ARTIFACT, PUSH, ValidateRollback
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.operators.smoke.smoke_test import SmokeTest
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment
from manifest_engine.operators.workload.watch_release import WatchRelease

GUIDE = """
### Roll a service back

Returns a service to an earlier release, with the image and the manifest of that release. Nothing
is built or pushed. Approval, smoke test, rollout, check of the URL and record are the same as in a
deployment. The rollback is recorded as a new release.

**Fill in** component, service name and environment. An empty *Version* selects the last release
that came up with other code or other settings than the live release. A release that changed only
`notes` or `owner`, and a nightly rebuild, are skipped. A second rollback undoes the first rollback.
To select another release that the cluster has kept, enter its version, or at least the first seven
digits of its digest.

***Dry run*** lists the releases with their differences from the live release in the log of
`validate_rollback`, shows what the rollback would change, and stops.

**If a task fails**, the last line of its log says why and what to do (also in its XCom `error`).
For a release that does not exist, the error lists the available releases. The version that ran
before keeps running.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="rollback_service",
    dag_display_name="Roll a service back",
    description="Returns a service to an earlier release, without a build",
    doc_md=GUIDE,
    params=dag_settings.params(form.request_fields(RollbackRequest, ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateRollback(
        task_id="validate_rollback", approval="approve", outlets=runs.outlets(ENVIRONMENTS)
    )
    release, artifact, push = validate.output, validate.output[ARTIFACT], validate.output[PUSH]
    approve = Approve(task_id="approve", release=release, push=push)
    smoke = SmokeTest(
        task_id="smoke_test",
        release=release,
        push=push,
        approval=approve.output,
        trigger_rule="none_failed",  # approve may be skipped
        **dag_settings.HEAVY,
    )
    deploy = ApplyDeployment(
        task_id="apply_deployment",
        release=release,
        artifact=artifact,
        push=push,
        verdict=smoke.output,
        approval=approve.output,
        trigger_rule="none_failed",
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
    chain(validate, approve, smoke, deploy, publish, watch, record)
