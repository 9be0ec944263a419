"""Mapped step ``rebuild``: triggers ``deploy_service`` for one service and waits for the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.rebuild import rebuild
from manifest_engine.domain.rebuild.table import FAILED, REBUILT, SKIPPED, UNCHANGED, Row
from manifest_engine.operators.core.step import ERROR_KEY, report_failure
from manifest_engine.operators.rebuild.rebuild_trigger import (
    ASKS,
    DAG_ID,
    POLL_SECONDS,
    RebuildTrigger,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

ROW = "row"
"""XCom key: the service's row in the table, also after a failure."""
_STEPS = (
    *("validate", "download_artifact", "build_image", "push_image", "approve", "smoke_test"),
    *("apply_deployment", "publish_route", "watch_release", "record_release"),
)


class RebuildService(TriggerDagRunOperator):
    """Trigger ``deploy_service``, and wait in the triggerer.

    The run id depends on the plan, so that a retry waits for the run of an earlier try. The step
    ends when the run waits for a person, so that the nightly run does not wait for an approval.

    XCom: ``row`` (:class:`manifest_engine.domain.rebuild.table.Row` as JSON).

    :param title: name of the mapped task in the UI.
    :param conf: the manifest, with ``rebuild``.
    :param asks: whether the environment asks for an approval.
    """

    template_fields: Sequence[str] = ("title", "conf")

    def __init__(self, *, title: str, conf: Any, asks: bool = False, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=DAG_ID,
            conf=conf,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=POLL_SECONDS,
            # With an approval, Airflow's trigger fires at once and RebuildTrigger waits.
            allowed_states=["queued", "running", "success"] if asks else ["success"],
            logical_date=None,
            openlineage_inject_parent_info=False,  # would change the conf, which is a manifest
            **kwargs,
        )
        self.title = title

    def execute(self, context: Context) -> None:
        """Trigger the run, unless an earlier try did. After a person clears this task, a failed run
        is run again.

        :raises StateError: while ``deploy_service`` is paused.
        """
        ti: Any = context["ti"]
        run_id = self.trigger_run_id = self._run_id(context)
        if ti.get_dag(DAG_ID).is_paused:
            with report_failure(context, self.log):
                self._refuse_paused(context)
        exists = ti.get_dr_count(dag_id=DAG_ID, run_ids=[run_id])
        if exists and ti.get_dagrun_state(dag_id=DAG_ID, run_id=run_id) != "failed":
            self.log.info("Waiting for run %s, which an earlier try started", run_id)
            self._wait(run_id)
        self.reset_dag_run = bool(exists)
        super().execute(context)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        """Record the outcome of the run, or wait again for an unfinished run.

        :raises StateError: with the error sentence of the failed step.
        """
        run_id = self._run_id(context)
        state = event[1].get(run_id)
        if state in ("queued", "running"):
            self._wait(run_id)
        with report_failure(context, self.log):
            row = _row(context, self.conf or {}, run_id, state)
            context["ti"].xcom_push(key=ROW, value=row.dump())
            self.log.info("%s: %s %s", self.title, row.outcome, row.sentence)
            if row.outcome == FAILED:
                raise StateError(row.sentence)

    def _wait(self, run_id: str) -> NoReturn:
        self.defer(trigger=RebuildTrigger(run_id=run_id), method_name="execute_complete")
        raise AssertionError("defer() always raises")

    def _refuse_paused(self, context: Context) -> None:
        """A run of a paused DAG would start later, when its plan is out of date."""
        conf: Any = self.conf or {}
        name = names.object_name(conf["component"], conf["serviceName"])
        text = f"The DAG {DAG_ID} is paused; unpause it and clear this task."
        context["ti"].xcom_push(key=ROW, value=Row(name, conf["environment"], FAILED, text).dump())
        raise StateError(text)

    def _run_id(self, context: Context) -> str:
        """The run id. Its hash of the plan gives each new plan its own run."""
        conf: Any = self.conf or {}
        name = names.object_name(conf["component"], conf["serviceName"])
        plan_hash = hashlib.sha256(json.dumps(conf, sort_keys=True).encode()).hexdigest()[:8]
        return f"{context['dag_run'].run_id}__{name}__{conf['environment']}__{plan_hash}"


def _row(context: Context, conf: Any, run_id: str, state: str | None) -> Row:
    def result(task: str, key: str = "return_value") -> Any:
        return context["ti"].xcom_pull(
            task_ids=task, dag_id=DAG_ID, run_id=run_id, key=key, map_indexes=-1
        )

    name = names.object_name(conf["component"], conf["serviceName"])
    environment = conf["environment"]
    if state == ASKS:
        text = f"Its environment asks for an approval: run {run_id} waits under Required Actions."
        return Row(name, environment, SKIPPED, text, run_id)
    if state != "success":
        errors = [text for step in _STEPS if (text := result(step, ERROR_KEY))]
        sentence = str(errors[0]) if errors else f"Its run ended as {state}; see its tasks' logs."
        return Row(name, environment, FAILED, sentence, run_id)
    for step in ("validate", "apply_deployment"):
        if sentence := result(step, rebuild.SKIPPED):
            return Row(name, environment, SKIPPED, sentence, run_id)
    if (result("build_image") or {}).get("unchanged"):
        return Row(name, environment, UNCHANGED, "The same image was built again.", run_id)
    digest = (result("push_image") or {}).get("digest")
    return Row(name, environment, REBUILT, run_id=run_id, digest=digest)
