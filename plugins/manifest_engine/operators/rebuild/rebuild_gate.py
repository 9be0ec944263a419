"""Stops a rebuild whose service was deployed, rolled back or removed after the rebuild was planned.

``validate`` checks before the build; ``apply_deployment`` checks again under the lease, when no
other run can change the service.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from manifest_engine.domain.rebuild import rebuild
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.operators.core.step import StepOperator
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.workload.workload import Workload

Json = dict[str, Any]


def admit(step: StepOperator, context: Context, release: Release, live: Json | None) -> Release:
    """The release of the rebuild with a free tag.

    :raises DownstreamTasksSkipped: for all later steps, when another release is live than the
        rebuild was planned for; XCom ``skipped`` says why.
    """
    from manifest_engine.hooks.registry.acr import AcrHook

    if sentence := rebuild.outdated(release, live):
        _record_skip(context, step, sentence)
        raise DownstreamTasksSkipped(tasks=sorted(step.get_flat_relative_ids(upstream=False)))
    renewed = rebuild.release_of(release, live or {})
    if AcrHook(release.environment.registry.connection).api.manifest(
        renewed.repository, renewed.tag
    ):
        return rebuild.with_seconds_in_tag(renewed)
    return renewed


def require_live(context: Context, release: Release, live: Json | None) -> None:
    """
    :raises AirflowSkipException: when another release is live than the rebuild was planned for;
        XCom ``skipped`` says why.
    """
    if sentence := rebuild.outdated(release, live):
        _record_skip(context, context["task"], sentence)
        raise AirflowSkipException(sentence)


def record_unchanged(workload: Workload, lease: ServiceLease, provenance: str, live: Json) -> Json:
    """Record the provenance of the live image; returns the result of ``apply_deployment``.

    The recorded objects of the live release are applied again with the new annotation. Nothing else
    changes, even if the settings of the environment changed.

    :param provenance: value of the annotation.
    """
    if objects := history.restore(annotation.read_annotations(live).get(annotation.OBJECTS)):
        objects[0]["metadata"]["annotations"][annotation.BUILT_FROM] = provenance
        workload.policy = replace(workload.policy, drift="report")
        live = workload.apply(history.carry_over(objects, live), live)
    lease.release()
    workload.log.info("%s is unchanged", workload.name)
    return {
        "deployment": workload.name,
        "generation": live["metadata"]["generation"],
        "changed": False,
    }


def _record_skip(context: Context, step: Any, sentence: str) -> None:
    step.log.info("%s", sentence)
    context["ti"].xcom_push(key=rebuild.SKIPPED, value=sentence)
