"""Step ``rebuild``, mapped: one service's ``deploy_service`` is triggered and waited for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.external_task import DagStateTrigger

from manifest_engine.domain import names, rebuild
from manifest_engine.domain.errors import StateError
from manifest_engine.domain.rebuild_table import FAILED, REBUILT, SKIPPED, UNCHANGED, Row
from manifest_engine.operators.step import ERROR_KEY, told

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "deploy_service"
ROW = "row"
"""XCom key: the service's row in the table, also when it has failed."""
_POLL_SECONDS = 5
_STEPS = (
    *("validate", "download_artifact", "build_image", "push_image", "smoke_test", "approve"),
    *("apply_deployment", "publish_route", "record_release"),
)
_OVER = ("success", "failed")


class RebuildService(TriggerDagRunOperator):
    """Trigger, and wait in the triggerer. Its run has a name of its own, so that a later try waits
    for the run that an earlier one began.

    XCom: ``row`` (:class:`manifest_engine.domain.rebuild_table.Row` as JSON).

    :param title: what to call it in the UI.
    :param conf: the manifest, with ``rebuild``.
    """

    template_fields: Sequence[str] = ("title", "conf")

    def __init__(self, *, title: str, conf: Any, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=DAG_ID,
            conf=conf,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=_POLL_SECONDS,
            logical_date=None,
            **kwargs,
        )
        self.title = title

    def execute(self, context: Context) -> None:
        """Trigger, unless an earlier try has; one that has failed is run again, when a person
        clears this task.

        :raises StateError: while ``deploy_service`` is paused.
        """
        ti: Any = context["ti"]
        run_id = self.trigger_run_id = self._run_id(context)
        if ti.get_dag(DAG_ID).is_paused:
            with told(context, self.log):
                self._refuse_paused(context)
        begun = ti.get_dr_count(dag_id=DAG_ID, run_ids=[run_id])
        if begun and ti.get_dagrun_state(dag_id=DAG_ID, run_id=run_id) != "failed":
            self.log.info("Waiting for run %s, which an earlier try began", run_id)
            self.defer(
                trigger=DagStateTrigger(
                    dag_id=DAG_ID,
                    states=list(_OVER),
                    run_ids=[run_id],
                    poll_interval=_POLL_SECONDS,
                ),
                method_name="execute_complete",
            )
        self.reset_dag_run = bool(begun)
        super().execute(context)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        """Judge how the run has ended.

        :raises StateError: with the sentence of the step that failed.
        """
        run_id = self._run_id(context)
        with told(context, self.log):
            row = _row(context, self.conf or {}, run_id, event[1].get(run_id))
            context["ti"].xcom_push(key=ROW, value=row.dump())
            self.log.info("%s: %s %s", self.title, row.outcome, row.sentence)
            if row.outcome == FAILED:
                raise StateError(row.sentence)

    def _refuse_paused(self, context: Context) -> None:
        """A run would wait until somebody unpauses it, and be out of date by then."""
        conf: Any = self.conf or {}
        name = names.object_name(conf["component"], conf["serviceName"])
        text = f"The DAG {DAG_ID} is paused; unpause it and clear this task, or wait for a night."
        context["ti"].xcom_push(key=ROW, value=Row(name, conf["environment"], FAILED, text).dump())
        raise StateError(text)

    def _run_id(self, context: Context) -> str:
        conf: Any = self.conf or {}
        name = names.object_name(conf["component"], conf["serviceName"])
        return f"{context['dag_run'].run_id}__{name}__{conf['environment']}"


def _row(context: Context, conf: Any, run_id: str, state: str | None) -> Row:
    def left(task: str, key: str = "return_value") -> Any:
        return context["ti"].xcom_pull(
            task_ids=task, dag_id=DAG_ID, run_id=run_id, key=key, map_indexes=-1
        )

    name = names.object_name(conf["component"], conf["serviceName"])
    environment = conf["environment"]
    if state != "success":
        told = [text for step in _STEPS if (text := left(step, ERROR_KEY))]
        sentence = str(told[0]) if told else f"Its run ended as {state}; see its tasks' logs."
        return Row(name, environment, FAILED, sentence, run_id)
    for step in ("validate", "apply_deployment"):
        if sentence := left(step, rebuild.SKIPPED):
            return Row(name, environment, SKIPPED, sentence, run_id)
    if (left("build_image") or {}).get("unchanged"):
        return Row(name, environment, UNCHANGED, "The same image was built again.", run_id)
    digest = (left("push_image") or {}).get("digest")
    return Row(name, environment, REBUILT, run_id=run_id, digest=digest)
