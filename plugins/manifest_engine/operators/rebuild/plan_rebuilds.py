"""Step ``plan``: lists the deployed services and decides which services to rebuild."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from manifest_engine.domain.core.errors import ConfigurationError, ManifestEngineError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.rebuild import deployed, soak
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.domain.rebuild import plan as rebuild_plan
from manifest_engine.domain.rebuild.deployed import Deployed
from manifest_engine.domain.rebuild.plan import Planned
from manifest_engine.domain.rebuild.soak import Earlier
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, Row
from manifest_engine.domain.record import deployment
from manifest_engine.domain.release import labels as label
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.services.build.build_source import STANDARD_DOCKERFILE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.environment.builds import BaseRegistry
    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.image.base_images import Current
    from manifest_engine.domain.rebuild.deployed import Selection

ROWS = "rows"
"""XCom key: the rows of all services before the rebuilds."""
BASES = deployment.BASES_KEY
"""Key of the XCom with the current digests of the base images.

The API finds outdated images by these digests."""
_AT_ONCE = 4
"""Parallel look-ups of base images."""

Configured = Mapping[str, "Environment"]
Bases = dict[tuple[str, tuple[str, ...], tuple["BaseRegistry", ...], str], "Current"]
"""Looked-up base images by registry Connection, builders, other registries and reference."""


class PlanRebuilds(StepOperator):
    """List the deployed services, and decide which services to rebuild.

    The cost is one paged list per environment and one look-up per base image, and no request per
    service. A retryable error retries the whole step. On the last try, the error becomes a row of
    its environment, and the other environments are planned.

    XCom: for each service to rebuild ``title``, ``conf`` (of its ``deploy_service`` run) and
    ``asks``, for task mapping; ``rows``, a row for every service
    (:class:`~manifest_engine.domain.rebuild.table`); ``bases``, the digests of the base images.
    """

    def run(self, context: Context) -> list[dict[str, Any]]:
        """
        :raises ManifestError: when the conf is wrong.
        :raises ConfigurationError: when ``environments.yaml`` is wrong.
        :raises NotAllowed: when the user may not deploy to the selected environment.
        :raises ManifestEngineError: a retryable error, unless this is the last try.
        """
        begin = time.monotonic()
        configured = environments.load()
        selection = rebuild_form.parse(context["dag_run"].conf or {}, configured)
        last = context["ti"].try_number > context["ti"].max_tries
        bases: Bases = {}
        decided: list[Planned | Row] = []
        for name in sorted(configured):
            if selection.environment not in (None, name):
                continue
            nightly = configured[name].rebuilds.enabled or selection.environment == name
            if not nightly:
                text = "rebuilds.enabled is false in environments.yaml."
                decided.append(Row("(all)", name, SKIPPED, text))
            elif refused := self._refused(context, name, configured[name], selection):
                decided.append(refused)
            else:
                decided += self._decided(name, configured, selection, bases, last_try=last)
        # A service of a removed environment is found once per environment with its namespace.
        rows = list(dict.fromkeys(item for item in decided if isinstance(item, Row)))
        planned = [item for item in decided if isinstance(item, Planned)]
        begun, others = rebuild_plan.limit_approvals(planned)
        selected, rest = rebuild_plan.limit_to_one_run(begun, conf.getint("core", "max_map_length"))
        rows += [*others, *rest, *(item.row for item in selected)]
        self.log.info(
            "%d services are deployed, %d are to be rebuilt; %d base images were looked up; %.1f s",
            len(rows),
            len(selected),
            len(bases),
            time.monotonic() - begin,
        )
        for item in selected:
            self.log.info("%s: %s", _title(item), item.row.sentence)
        context["ti"].xcom_push(key=ROWS, value=[row.dump() for row in rows])
        context["ti"].xcom_push(key=BASES, value=_digests(bases))
        return [
            {"title": _title(item), "conf": item.conf, "asks": item.needs_approval}
            for item in selected
        ]

    def _refused(
        self, context: Context, name: str, environment: Environment, selection: Selection
    ) -> Row | None:
        """A row if the user of the run may not deploy to the environment.

        A scheduled run has no user and is never refused.
        """
        if admission.requester(context).on_schedule:
            return None
        try:
            admission.require_user(context, "deploy", name, environment)
        except (NotAllowed, ConfigurationError) as error:
            if selection.environment == name:
                raise
            self.log.warning("%s", error)
            outcome = SKIPPED if isinstance(error, NotAllowed) else FAILED
            return Row("(all)", name, outcome, str(error))
        return None

    def _decided(
        self,
        name: str,
        configured: Configured,
        selection: Selection,
        bases: Bases,
        *,
        last_try: bool,
    ) -> list[Planned | Row]:
        """The decisions for one environment. An error does not stop other environments."""
        environment = configured[name]
        try:
            found = _deployed(name, configured, selection)
            services = [item for item in found if isinstance(item, Deployed)]
            current = _look_up(environment, rebuild_plan.distinct_bases(services), bases)
            standard = STANDARD_DOCKERFILE.read_bytes()
            earlier = _earlier(name, configured, selection)
            return [
                item
                if isinstance(item, Row)
                else rebuild_plan.decide(
                    item,
                    current,
                    standard,
                    force=selection.force,
                    insists=selection.insists,
                    approval=environment.approval,
                    earlier=earlier(item) if earlier else None,
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


def _deployed(name: str, configured: Configured, selection: Selection) -> list[Deployed | Row]:
    found = (
        deployed.read(item, name, configured)
        for item in _ours(configured[name], "apps/v1", "Deployment")
        if selection.covers(item)
    )
    return [item for item in found if item is not None]


def _earlier(
    name: str, configured: Configured, selection: Selection
) -> Callable[[Deployed], Earlier] | None:
    """Finds a service in the environment that is rebuilt before this one; None without one."""
    after = configured[name].rebuilds.after
    if after is None or selection.insists:
        return None
    hours, now = configured[name].rebuilds.soak_hours, datetime.now(UTC)
    pods: dict[str, list[Any]] = {}
    for item in _ours(configured[after], "v1", "Pod"):
        pods.setdefault(item["metadata"]["labels"].get(label.INSTANCE, ""), []).append(item)
    found = {}
    for item in _ours(configured[after], "apps/v1", "Deployment"):
        if not selection.covers(item):
            continue
        live, own = item["metadata"]["name"], deployed.read(item, after, configured)
        if isinstance(own, Deployed):
            problem = soak.problem(item, pods.get(live, []), hours, now)
            found[live] = Earlier(after, own, problem)
        elif own is not None:
            found[live] = Earlier(after)
    return lambda service: found.get(service.manifest.object_name, Earlier(after))


def _ours(environment: Environment, api_version: str, kind: str) -> Iterator[dict[str, Any]]:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    hook = ClusterHook(environment.cluster.connection)
    labels = label.label_selector({label.MANAGED_BY: label.MANAGER})
    for page in hook.pages(api_version, kind, environment.cluster.namespace, labels=labels):
        yield from page


def _look_up(environment: Environment, references: list[str], bases: Bases) -> dict[str, Current]:
    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.services.image.base_lookup import BaseLookup

    rules = environment.build
    where = environment.registry.connection, environment.builders, rules.registries
    new = [base for base in references if (*where, base) not in bases]
    if new:
        lookup = BaseLookup(AcrHook(where[0]), where[1], rules)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for base, current in zip(new, pool.map(lookup.current, new), strict=True):
                bases[(*where, base)] = current
    return {base: bases[(*where, base)] for base in references}


def _digests(bases: Bases) -> dict[str, list[str]]:
    """The digests of each reference; environments with other logins can find other digests."""
    found: dict[str, set[str]] = {}
    for (*_, reference), current in bases.items():
        if current.digests and not current.problem:
            found.setdefault(reference, set()).update(current.digests)
    return {reference: sorted(digests) for reference, digests in found.items()}


def _title(item: Planned) -> str:
    return f"{item.row.service} in {item.row.environment}"
