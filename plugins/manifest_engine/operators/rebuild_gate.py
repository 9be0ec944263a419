"""Where a rebuild stops: what a person has done meanwhile stays, and what is live already is noted.

Asked first by ``validate``, so that nothing is built in vain, and again by ``apply_deployment``
under the lease, when nobody else can change the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from manifest_engine.domain import history, marks, rebuild

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.service_lease import ServiceLease
    from manifest_engine.hooks.workload import Workload
    from manifest_engine.operators.step import StepOperator

Json = dict[str, Any]


def admitted(step: StepOperator, context: Context, release: Release, live: Json | None) -> Release:
    """The rebuild's release, under a tag that is free, as long as what it was planned from is live.

    :raises DownstreamTasksSkipped: for all later steps, when it is not; the sentence is left as
        XCom.
    """
    from manifest_engine.hooks.acr import AcrHook

    if sentence := rebuild.outdated(release, live):
        _tell(context, step, sentence)
        raise DownstreamTasksSkipped(tasks=sorted(step.get_flat_relative_ids(upstream=False)))
    made = rebuild.release_of(release, live or {})
    if AcrHook(release.environment.registry.connection).api.manifest(made.repository, made.tag):
        return rebuild.second_in_its_minute(made)
    return made


def require_live(context: Context, release: Release, live: Json | None) -> None:
    """
    :raises AirflowSkipException: when a rebuild is not one of what is live; the sentence is left as
        XCom.
    """
    if sentence := rebuild.outdated(release, live):
        _tell(context, context["task"], sentence)
        raise AirflowSkipException(sentence)


def note(workload: Workload, lease: ServiceLease, built_from: str, live: Json) -> Json:
    """Note down what the live image was built from; the result of ``apply_deployment``.

    The live release's own objects are applied again, with that note: nothing else changes, whatever
    has become of the environment's settings meanwhile.

    :param built_from: the note.
    """
    if objects := history.restored(marks.noted(live).get(marks.OBJECTS)):
        objects[0]["metadata"]["annotations"][marks.BUILT_FROM] = built_from
        live = workload.apply(history.continued(objects, live), live)
    lease.give_back()
    workload.log.info("%s is unchanged", workload.name)
    return {
        "deployment": workload.name,
        "generation": live["metadata"]["generation"],
        "changed": False,
    }


def _tell(context: Context, step: Any, sentence: str) -> None:
    step.log.info("%s", sentence)
    context["ti"].xcom_push(key=rebuild.SKIPPED, value=sentence)
