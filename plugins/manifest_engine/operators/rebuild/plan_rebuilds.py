"""Step ``plan``: what is deployed, and which of it is to be rebuilt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from manifest_engine.domain.core.errors import ConfigurationError, ManifestEngineError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.rebuild import deployed
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.domain.rebuild import plan as rebuild_plan
from manifest_engine.domain.rebuild.deployed import Deployed
from manifest_engine.domain.rebuild.plan import Planned
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, Row
from manifest_engine.domain.release import labels as label
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.services.build.build_source import STANDARD_DOCKERFILE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.image.base_images import Current
    from manifest_engine.domain.rebuild.deployed import Selection

ROWS = "rows"
"""XCom key: the rows of all services, as far as they are known before anything is rebuilt."""
_AT_ONCE = 4
"""Questions about base images."""

Configured = Mapping[str, "Environment"]
Bases = dict[tuple[str, tuple[str, ...], str], "Current"]
"""By registry connection, builders and reference: each is asked for once a night."""


class PlanRebuilds(StepOperator):
    """List what is deployed, and decide which of it is to be rebuilt.

    One paged list per environment and one look-up per base image; nothing is asked per service.
    What a retry can mend is tried again, whole; only on the last try it costs its environment the
    night.

    XCom: for each service to rebuild ``title``, ``conf`` (of its ``deploy_service``) and ``asks``,
    to be mapped over; ``rows``, a row for every service
    (:class:`~manifest_engine.domain.rebuild.table`).
    """

    def run(self, context: Context) -> list[dict[str, Any]]:
        """
        :raises ManifestError: when the conf is wrong.
        :raises ConfigurationError: when ``environments.yaml`` is.
        :raises NotAllowed: when whoever triggered this may not deploy to the environment asked for.
        :raises ManifestEngineError: that a retry can mend, as long as there is one left.
        """
        begin = time.monotonic()
        configured = environments.load()
        wanted = rebuild_form.parse(context["dag_run"].conf or {}, configured)
        last = context["ti"].try_number > context["ti"].max_tries
        bases: Bases = {}
        decided: list[Planned | Row] = []
        for name in sorted(configured):
            if wanted.environment not in (None, name):
                continue
            if refused := self._refused(context, name, configured[name], wanted):
                decided.append(refused)
            else:
                decided += self._decided(name, configured, wanted, bases, last_try=last)
        # One of an environment that is gone is found by all that share its namespace.
        rows = list(dict.fromkeys(item for item in decided if isinstance(item, Row)))
        planned = [item for item in decided if isinstance(item, Planned)]
        begun, others = rebuild_plan.limit_approvals(planned)
        taken, rest = rebuild_plan.limit_to_one_run(begun, conf.getint("core", "max_map_length"))
        rows += [*others, *rest, *(item.row for item in taken)]
        self.log.info(
            "%d services are deployed, %d are to be rebuilt; %d base images were looked up; %.1f s",
            len(rows),
            len(taken),
            len(bases),
            time.monotonic() - begin,
        )
        for item in taken:
            self.log.info("%s: %s", _title(item), item.row.sentence)
        context["ti"].xcom_push(key=ROWS, value=[row.dump() for row in rows])
        return [
            {"title": _title(item), "conf": item.conf, "asks": item.needs_approval}
            for item in taken
        ]

    def _refused(
        self, context: Context, name: str, environment: Environment, wanted: Selection
    ) -> Row | None:
        """A row where a person has triggered this who may not deploy to the environment.

        A night that the timetable has started is nobody's.
        """
        if admission.requester(context).on_schedule:
            return None
        try:
            admission.require_user(context, "deploy", name, environment)
        except (NotAllowed, ConfigurationError) as error:
            if wanted.environment == name:
                raise
            self.log.warning("%s", error)
            outcome = SKIPPED if isinstance(error, NotAllowed) else FAILED
            return Row("(all)", name, outcome, str(error))
        return None

    def _decided(
        self, name: str, configured: Configured, wanted: Selection, bases: Bases, *, last_try: bool
    ) -> list[Planned | Row]:
        """One environment; what is wrong with another one is no reason to leave this one out."""
        environment = configured[name]
        try:
            found = _deployed(name, configured, wanted)
            services = [item for item in found if isinstance(item, Deployed)]
            current = _look_up(environment, rebuild_plan.distinct_bases(services), bases)
            standard = STANDARD_DOCKERFILE.read_bytes()
            return [
                item
                if isinstance(item, Row)
                else rebuild_plan.decide(
                    item, current, standard, force=wanted.force, approval=environment.approval
                )
                for item in found
            ]
        except ManifestEngineError as error:
            if error.retryable and not last_try:
                raise
            self.log.error("%s", error)
            reason = str(error)
        except Exception as error:
            self.log.exception("The services of %s could not be planned", name)
            reason = f"Its services could not be planned ({type(error).__name__}: {error})."
        return [Row("(all)", name, FAILED, reason)]


def _deployed(name: str, configured: Configured, wanted: Selection) -> list[Deployed | Row]:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    environment = configured[name]
    hook = ClusterHook(environment.cluster.connection)
    labels = label.label_selector({label.MANAGED_BY: label.MANAGER})
    pages = hook.pages("apps/v1", "Deployment", environment.cluster.namespace, labels=labels)
    found = (
        deployed.read(item, name, configured)
        for page in pages
        for item in page
        if wanted.covers(item)
    )
    return [item for item in found if item is not None]


def _look_up(environment: Environment, wanted: list[str], bases: Bases) -> dict[str, Current]:
    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.services.image.base_lookup import BaseLookup

    where = environment.registry.connection, environment.builders
    new = [base for base in wanted if (*where, base) not in bases]
    if new:
        lookup = BaseLookup(AcrHook(where[0]), where[1])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for base, current in zip(new, pool.map(lookup.current, new), strict=True):
                bases[(*where, base)] = current
    return {base: bases[(*where, base)] for base in wanted}


def _title(item: Planned) -> str:
    return f"{item.row.service} in {item.row.environment}"
