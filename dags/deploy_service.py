"""``deploy_service``: one run deploys one service, from the artifact to a verified URL."""

from __future__ import annotations

from airflow.sdk import DAG, chain
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.operators.artifact.download_artifact import DownloadArtifact
from manifest_engine.operators.core import dag_settings
from manifest_engine.operators.events import runs
from manifest_engine.operators.image.build_image import BuildImage
from manifest_engine.operators.image.describe_image import DescribeImage
from manifest_engine.operators.image.push_image import PushImage
from manifest_engine.operators.manifest.validate_manifest import ValidateManifest
from manifest_engine.operators.record.record_release import RecordRelease
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.operators.smoke.smoke_test import SmokeTest
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment
from manifest_engine.operators.workload.watch_release import WatchRelease

GUIDE = """
### Deploy a service

Builds an image from the service's ZIP in Artifactory, pushes the image to the registry, and runs
the image behind `/datafactory/{component}/{serviceName}`.

**Fill in** component, service name, version and environment. All other fields have a default. The
ZIP is expected at
`{repository}/{component}/{serviceName}/{version}/{serviceName}-{version}.zip` unless *Artifact*
names another path. The build uses `scripts/Dockerfile` in the ZIP, or else the standard Dockerfile.

***Dry run*** compares the manifest with the live release, shows the difference in the log of
`validate`, and stops.

| Task | Work |
|---|---|
| `validate` | checks the manifest and plans the release |
| `download_artifact` | downloads and checks the ZIP |
| `build_image`, `push_image` | build the image and push it to the registry |
| `approve` | waits for a person, if the environment asks for an approval (see *Required Actions*) |
| `smoke_test` | starts the image in a pod and calls the service |
| `apply_deployment` | rolls the release out, until all new pods are ready |
| `publish_route` | makes the service public and calls its URL; calls a new pod if it is internal |
| `watch_release` | watches the new pods for seconds before the old pods go; a crash rolls back |
| `record_release` | records the release |
| `describe_image` | attaches a bill of materials to the image in the registry |

The image does not run in the environment before the approval.

**If a task fails**, the last line of its log says why and what to do (also in its XCom `error`).
The version that ran before keeps running.
"""

ENVIRONMENTS = environments.load()

with DAG(
    dag_id="deploy_service",
    dag_display_name="Deploy a service",
    description="Deploys a service from its ZIP in Artifactory to AKS and checks its URL",
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
        unchanged="apply_deployment",  # records a rebuild that changed nothing
        **dag_settings.HEAVY,
    )
    push = PushImage(
        task_id="push_image",
        release=release,
        build=build.output,
        approval="approve",
        outlets=runs.outlets(ENVIRONMENTS),
        **dag_settings.HEAVY,
    )
    approve = Approve(task_id="approve", release=release, push=push.output)
    smoke = SmokeTest(
        task_id="smoke_test",
        release=release,
        push=push.output,
        approval=approve.output,
        trigger_rule="none_failed",  # approve may be skipped
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
    watch = WatchRelease(task_id="watch_release", release=release, deployment=deploy.output)
    record = RecordRelease(
        task_id="record_release",
        release=release,
        artifact=download.output,
        push=push.output,
        deployment=deploy.output,
        route=publish.output,
    )
    # Last, few at a time and with a low priority: other services reach their URL first.
    describe = DescribeImage(
        task_id="describe_image",
        release=release,
        push=push.output,
        max_active_tis_per_dag=4,
        weight_rule="absolute",
    )
    chain(validate, download, build, push, approve, smoke, deploy, publish, watch, record, describe)
