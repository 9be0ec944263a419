"""The services, their live releases and their deployments, for the API's routes and the pages.

Each function returns JSON-compatible data as ``docs/api.md`` describes, within a few seconds even
if clusters do not answer. The functions check no permission: routes depend on ``MAY_READ_RUNS``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.record import audit, deployment, history, overview
from manifest_engine.domain.record.history import Place, Recorded
from manifest_engine.domain.record.live import Live, Observation
from manifest_engine.domain.record.overview import Filter, Row
from manifest_engine.services.environment import user_roles
from manifest_engine.services.record.observation import Observer, read_cluster
from manifest_engine.services.record.run_index import RunIndex

observer = Observer(read_cluster)
runs = RunIndex(airflow.recorded, airflow.active, airflow.states)

_NIGHTS_SECONDS = 60.0
_nights: tuple[float, list[dict[str, Any]]] = (float("-inf"), [])
_RECENT = timedelta(days=7)
"""How long the table shows a removed service, and a service whose first deployment failed."""
_DNS_LABEL = re.compile(names.DNS_LABEL)
_made: tuple[list[Any], list[Row]] = ([], [])
"""The rows of the last answer, preceded by the objects that they were made of."""
HISTORY_MAX = 50
"""Maximum number of deployments in one answer, because each is read with its steps."""


@airflow.one_session()
def list_services(
    asked: Filter | None = None,
    order: overview.Sort = "service",
    limit: int = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """One row for each service in each environment.

    :param cursor: ``next`` of the previous page.
    :raises ValueError: when the cursor was made for another order.
    """
    rows, observations = _rows()
    covers = (asked or Filter()).covers
    found = [row for row in rows if covers(row)]
    shown, following = overview.page(found, order, min(limit, overview.PAGE_MAX), cursor)
    return {
        "items": _dumped(shown),
        "total": len(found),
        "next": following,
        "environments": [
            _environment(name, observation) for name, observation in observations.items()
        ],
    }


@airflow.one_session()
def read_service(component: str, service_name: str) -> dict[str, Any] | None:
    """A service in each environment that has or had the service; None if no environment has."""
    rows, observations = _rows(component, service_name)
    if not rows:
        return None
    manifests = {row.place: row.live.manifest if row.live else None for row in rows}
    return {
        "component": component,
        "serviceName": service_name,
        "environments": [
            item | {"manifest": manifests[Place(component, service_name, item["environment"])]}
            for item in _dumped(rows)
        ],
        "unobserved": [
            _environment(name, observation)
            for name, observation in observations.items()
            if not observation.observed
        ],
    }


def list_outdated() -> list[dict[str, Any]]:
    """The live releases with an outdated base image."""
    nights = _known_bases()
    return [
        {**_place(row.place), "version": row.version}
        for row in _rows()[0]
        if row.live is not None
        and any(base["outdated"] for base in overview.outdated(row.live.bases, nights))
    ]


def allowed(environment: str, user: Any) -> list[str]:
    """Those of ``deploy``, ``rollback``, ``restart`` and ``remove`` that the user may do: Airflow
    and the environment's ``access`` must both allow it."""
    rules = environments.load()[environment].access
    lists = {"deploy": rules.deploy, "rollback": rules.deploy, "restart": rules.deploy}
    return [
        action
        for dag_id in deployment.DAGS
        if _is_listed(user, lists.get(action := audit.ACTIONS[dag_id], rules.remove))
        and airflow.may_start(dag_id, user)
    ]


def _is_listed(user: Any, entries: tuple[str, ...] | None) -> bool:
    try:
        return access.is_allowed(user.get_name(), entries, user_roles.known())
    except ConfigurationError:  # a role whose users are not known allows nobody
        return False


@airflow.one_session()
def list_history(
    component: str,
    service_name: str,
    environment: str | None = None,
    limit: int = 20,
    before: str | None = None,
) -> dict[str, Any]:
    """The deployments of a service, newest first, as :func:`domain.record.deployment.summary`.

    :param before: ``next`` of the previous page, which is the id of its last deployment.
    :raises ValueError: when the service has no deployment with this id.
    """
    runs.refresh()
    found = [
        run
        for place, known in runs.all_runs().items()
        if place[:2] == (component, service_name) and environment in (None, place.environment)
        for run in known
    ]
    found.sort(key=lambda run: run.number, reverse=True)
    total = len(found)
    if before is not None:
        at = next((at for at, run in enumerate(found) if run.run_id == before), None)
        if at is None:
            raise ValueError(f"This service has no deployment {before!r}.")
        found = found[at + 1 :]
    limit = min(limit, HISTORY_MAX)
    shown, more = found[:limit], len(found) > limit
    facts = airflow.facts(run.run_id for run in shown)
    items = [deployment.summary(facts[run.run_id]) for run in shown if run.run_id in facts]
    return {"items": items, "total": total, "next": shown[-1].run_id if more else None}


def read_difference(
    component: str, service_name: str, before: str, after: str
) -> dict[str, Any] | None:
    """What differs between two deployments of a service; None if it does not have both.

    The deployments can belong to different environments.
    """
    facts = airflow.facts([before, after])
    for run_id in (before, after):
        asked = deployment.manifest(facts[run_id]) if run_id in facts else {}
        if (asked.get("component"), asked.get("serviceName")) != (component, service_name):
            return None
    return history.difference(facts[before], facts[after])


def _rows(
    component: str | None = None, service_name: str | None = None
) -> tuple[list[Row], dict[str, Observation]]:
    configured = environments.load()
    observations = observer.observe(configured)
    runs.refresh()
    rows = _table(list(configured), list(observations.values()), runs.all_runs())
    if component is not None:
        rows = [row for row in rows if row.place[:2] == (component, service_name)]
    return rows, observations


def _table(
    configured: list[str],
    observations: list[Observation],
    recorded: Mapping[Place, list[Recorded]],
) -> list[Row]:
    """All rows, made again only if a reading or a run has changed: either is then a new object."""
    global _made  # noqa: PLW0603
    made_of = [configured, recorded, *observations]
    known, rows = _made
    same = len(known) == len(made_of) and known[:1] == made_of[:1]
    if same and all(old is new for old, new in zip(known[1:], made_of[1:], strict=True)):
        return rows
    found = dict(zip(configured, observations, strict=True))
    live = {place: item for reading in observations for place, item in reading.services.items()}
    now = datetime.now(UTC)
    rows = [
        _row(place, live.get(place), found[place.environment], recorded.get(place, []), now)
        for place in sorted(live.keys() | recorded.keys())
        if place.environment in found and (place in live or _is_service(place))
    ]
    _made = (made_of, rows)
    return rows


def _row(
    place: Place,
    live: Live | None,
    observation: Observation,
    known: list[Recorded],
    now: datetime,
) -> Row:
    newest = next((run for run in known if not run.dry_run), None)
    made_by = history.live_run(known) if live is None and not observation.observed else None
    since = newest.requested_at if newest else None
    recent = since is not None and now - since < _RECENT
    return Row(place, live, observation, newest, made_by, recent)


def _is_service(place: Place) -> bool:
    """Whether the names are valid; the conf of a refused run can contain others."""
    return all(_DNS_LABEL.fullmatch(name) for name in place[:2])


def _dumped(rows: list[Row]) -> list[dict[str, Any]]:
    nights = _known_bases()
    newest = [row.newest.run_id for row in rows if row.newest and row.newest.state != "success"]
    made_by = [row.made_by.run_id for row in rows if row.made_by]
    facts = airflow.facts(newest, deployment.ERRORS) if newest else {}
    summaries = {run_id: deployment.outcome(found) for run_id, found in facts.items()}
    facts = airflow.facts(made_by) if made_by else {}
    summaries |= {run_id: deployment.summary(found) for run_id, found in facts.items()}
    configured = environments.load()
    return [
        {
            **_place(row.place),
            "state": row.state,
            "url": configured[row.place.environment].routing.url
            + names.route_path(row.place.component, row.place.service_name)
            if row.version
            else None,
            **_live(row, summaries, nights),
            "lastResult": _result(row.newest, summaries),
            "observed": row.observation.observed,
        }
        for row in rows
    ]


def _live(
    row: Row, summaries: Mapping[str, dict[str, Any]], nights: list[dict[str, Any]]
) -> dict[str, Any]:
    """The live release as read from the cluster, or else as recorded in Airflow."""
    live = row.live
    if live is not None:
        bases = overview.outdated(live.bases, nights)
        known = [base["outdated"] for base in bases]
        return {
            "version": live.version,
            "digest": live.digest,
            "ready": live.ready if row.observation.observed else None,
            "desired": live.desired,
            "since": live.since,
            "requestedBy": live.requested_by,
            "deploymentId": live.run_id,
            "artifact": live.artifact,
            "artifactSha256": live.artifact_sha256,
            "bases": bases,
            "baseOutdated": True if True in known else (None if None in known else False),
        }
    made_by = row.made_by
    made = summaries.get(made_by.run_id, {}) if made_by else {}
    return {
        "version": row.version,
        "digest": made.get("digest"),
        "ready": None,
        "desired": None,
        "since": row.since,
        "requestedBy": made_by.requested_by if made_by else None,
        "deploymentId": made_by.run_id if made_by else None,
        "artifact": made.get("artifact"),
        "artifactSha256": made.get("artifactSha256"),
        "bases": [],
        "baseOutdated": None,
    }


def _result(
    newest: Recorded | None, summaries: Mapping[str, dict[str, Any]]
) -> dict[str, Any] | None:
    if newest is None:
        return None
    ended = "removed" if newest.dag_id == history.REMOVE else "live"
    made = summaries.get(newest.run_id, {"state": ended if newest.state == "success" else "failed"})
    moment = newest.requested_at
    return {
        "id": newest.run_id,
        "action": newest.action,
        "state": made["state"],
        "version": newest.version,
        "requestedAt": moment.isoformat(timespec="milliseconds") if moment else None,
        "requestedBy": newest.requested_by,
        "failedStep": made.get("failedStep"),
        "error": made.get("error"),
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "component": place.component,
        "serviceName": place.service_name,
        "environment": place.environment,
    }


def _environment(name: str, observation: Observation) -> dict[str, Any]:
    moment = observation.at
    return {
        "name": name,
        "observed": observation.observed,
        "observedAt": moment.isoformat(timespec="milliseconds") if moment else None,
        "reason": observation.problem,
    }


def _known_bases() -> list[dict[str, Any]]:
    """The digests of base images that the last nightly runs found; read once a minute."""
    global _nights  # noqa: PLW0603
    if time.monotonic() - _nights[0] > _NIGHTS_SECONDS:
        _nights = (time.monotonic(), airflow.base_digests())
    return _nights[1]
