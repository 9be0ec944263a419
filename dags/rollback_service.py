"""``rollback_service``: one run returns a service to an earlier release, without a build."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.record.record_release import RecordRelease
from manifest_engine.operators.release.validate_rollback import ARTIFACT, PUSH, ValidateRollback
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.operators.smoke.smoke_test import SmokeTest
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment

GUIDE = """
### Roll a service back

The service returns to an earlier release: the image that was built then, the manifest that was
recorded then. Nothing is built or pushed; the approval, the smoke test, the rollout, the route's
check and the record are those of a deployment, and it is recorded as a release of its own.

**Fill in** component, service name and environment. *Version* empty means the release before the
live one (a second rollback returns to where the first one came from); else a version, or the first
seven digits or more of a digest, of a release that the cluster has kept.

**When it fails**, the last line of the failed task's log says why and what to do (also in its XCom
`error`). A choice that does not exist is answered with the list of those that do. What ran before
goes on running.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="rollback_service",
    dag_display_name="Roll a service back",
    description="A service returns to an earlier release, without a build",
    doc_md=GUIDE,
    params=dag_settings.params(form.rollback_fields(ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateRollback(task_id="validate_rollback", approval="approve")
    release, artifact, push = validate.output, validate.output[ARTIFACT], validate.output[PUSH]
    approve = Approve(task_id="approve", release=release, push=push)
    smoke = SmokeTest(
        task_id="smoke_test",
        release=release,
        push=push,
        approval=approve.output,
        trigger_rule="none_failed",  # approve is skipped where the environment asks for none
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
    record = RecordRelease(
        task_id="record_release",
        release=release,
        artifact=artifact,
        push=push,
        deployment=deploy.output,
        route=publish.output,
    )
    chain(validate, approve, smoke, deploy, publish, record)
