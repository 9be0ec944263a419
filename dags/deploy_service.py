"""``deploy_service``: one run is one deployment, from the artifact to a URL that answers."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.operators.artifact.download_artifact import DownloadArtifact
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.image.build_image import BuildImage
from manifest_engine.operators.image.describe_image import DescribeImage
from manifest_engine.operators.image.push_image import PushImage
from manifest_engine.operators.manifest.validate_manifest import ValidateManifest
from manifest_engine.operators.record.record_release import RecordRelease
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.operators.smoke.smoke_test import SmokeTest
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment

GUIDE = """
### Deploy a service

The service's ZIP in Artifactory becomes an image in the registry and runs behind
`/datafactory/{component}/{serviceName}`.

**Fill in** component, service name, version and environment; all else has a default. The ZIP is
looked for at `{repository}/{component}/{serviceName}/{version}/{serviceName}-{version}.zip` unless
*Artifact* names another one. It is built with its own `scripts/Dockerfile`, or with the standard
one if it has none.

***Dry run*** compares with what is live, shows the difference in `validate`'s log, and stops there.

**What happens**: `validate` plans the release, `download_artifact` fetches and checks the ZIP,
`build_image` and `push_image` make the image, `approve` waits for a person where the environment
asks for that (under *Required Actions*; nothing of the image runs there before), `smoke_test`
starts it in a pod and calls it, `apply_deployment` rolls it out without taking the running version
away, `publish_route` makes it public and calls the URL, `record_release` writes it down, and
`describe_image` attaches the image's bill of materials to it in the registry.

**When it fails**, the last line of the failed task's log says why and what to do (also in its XCom
`error`). What ran before goes on running.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="deploy_service",
    dag_display_name="Deploy a service",
    description="A service's ZIP in Artifactory becomes a running, reachable service on AKS",
    doc_md=GUIDE,
    params=dag_settings.params(form.form_fields(ENVIRONMENTS)),
    **dag_settings.per_service(ENVIRONMENTS),
):
    validate = ValidateManifest(task_id="validate")
    release = validate.output
    download = DownloadArtifact(task_id="download_artifact", release=release, **dag_settings.HEAVY)
    build = BuildImage(
        task_id="build_image",
        release=release,
        artifact=download.output,
        unchanged="apply_deployment",  # a rebuild that has changed nothing is noted there
        **dag_settings.HEAVY,
    )
    push = PushImage(
        task_id="push_image",
        release=release,
        build=build.output,
        approval="approve",
        **dag_settings.HEAVY,
    )
    approve = Approve(task_id="approve", release=release, push=push.output)
    smoke = SmokeTest(
        task_id="smoke_test",
        release=release,
        push=push.output,
        approval=approve.output,
        trigger_rule="none_failed",  # approve is skipped where the environment asks for none
        **dag_settings.HEAVY,
    )
    deploy = ApplyDeployment(
        task_id="apply_deployment",
        release=release,
        artifact=download.output,
        push=push.output,
        verdict=smoke.output,
        approval=approve.output,
        build=build.output,
        trigger_rule="none_failed",
    )
    publish = PublishRoute(task_id="publish_route", release=release)
    record = RecordRelease(
        task_id="record_release",
        release=release,
        artifact=download.output,
        push=push.output,
        deployment=deploy.output,
        route=publish.output,
    )
    # Last, few at a time and nice, so that it takes little from any service's way to its URL.
    describe = DescribeImage(
        task_id="describe_image",
        release=release,
        push=push.output,
        max_active_tis_per_dag=4,
        weight_rule="absolute",
    )
    chain(validate, download, build, push, approve, smoke, deploy, publish, record, describe)
