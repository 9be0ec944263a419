"""Where a rebuild stops: what a person has done meanwhile stays, and what is live already is noted.

Asked first by ``validate``, so that nothing is built in vain, and again by ``apply_deployment``
under the lease, when nobody else can change the answer.
"""

from __future__ import annotations

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
    """The rebuild's release, under a tag that is free, as long as what it was planned from is live.

    :raises DownstreamTasksSkipped: for all later steps, when it is not; the sentence is left as
        XCom.
    """
    from manifest_engine.hooks.registry.acr import AcrHook

    if sentence := rebuild.outdated(release, live):
        _tell(context, step, sentence)
        raise DownstreamTasksSkipped(tasks=sorted(step.get_flat_relative_ids(upstream=False)))
    made = rebuild.release_of(release, live or {})
    if AcrHook(release.environment.registry.connection).api.manifest(made.repository, made.tag):
        return rebuild.with_seconds_in_tag(made)
    return made


def require_live(context: Context, release: Release, live: Json | None) -> None:
    """
    :raises AirflowSkipException: when a rebuild is not one of what is live; the sentence is left as
        XCom.
    """
    if sentence := rebuild.outdated(release, live):
        _tell(context, context["task"], sentence)
        raise AirflowSkipException(sentence)


def record_unchanged(workload: Workload, lease: ServiceLease, provenance: str, live: Json) -> Json:
    """Record the provenance of the live image, and return the result of ``apply_deployment``.

    The recorded objects of the live release are applied again with this annotation. Nothing else
    changes, even if the environment's settings have changed meanwhile.

    :param provenance: the annotation value.
    """
    if objects := history.restore(annotation.read_annotations(live).get(annotation.OBJECTS)):
        objects[0]["metadata"]["annotations"][annotation.BUILT_FROM] = provenance
        live = workload.apply(history.carry_over(objects, live), live)
    lease.release()
    workload.log.info("%s is unchanged", workload.name)
    return {
        "deployment": workload.name,
        "generation": live["metadata"]["generation"],
        "changed": False,
    }


def _tell(context: Context, step: Any, sentence: str) -> None:
    step.log.info("%s", sentence)
    context["ti"].xcom_push(key=rebuild.SKIPPED, value=sentence)
