"""``python -m manifest_engine.audit``: lists who deployed, rolled back and removed which service.

The command reads Airflow's REST API, so it works on any machine and without the audit file.
``docs/audit.md`` describes the entries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import requests

from manifest_engine.domain.record import audit

_SECONDS = 30
_PAGE = 100
_AGE = re.compile(r"^(\d+)([mhd])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_OVER = ("success", "failed")


class AuditError(Exception):
    """Airflow's REST API cannot be read; the message says why."""


class AirflowRecord:
    """The part of Airflow's REST API that the audit reads.

    :param url: ``https://host[:port]``.
    :param token: a bearer token.
    """

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v2"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def entries(self, since: datetime) -> Iterator[dict[str, Any]]:
        """One entry per run requested since then, the oldest first.

        A run that is deleted meanwhile is left out.

        :raises AuditError: when Airflow cannot be read.
        """
        found = [run for dag in audit.ACTIONS for run in self._runs(dag, since)]
        for run in sorted(found, key=lambda item: str(item["run_after"])):
            if entry := self._entry(run):
                yield entry

    def _runs(self, dag_id: str, since: datetime) -> Iterator[dict[str, Any]]:
        asked = {"run_after_gte": since.isoformat(), "order_by": "run_after"}
        return self._pages(f"dags/{dag_id}/dagRuns", "dag_runs", **asked)

    def _entry(self, run: dict[str, Any]) -> dict[str, Any] | None:
        path = f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        of_one = {"map_index": audit.UNMAPPED}
        listed = self._pages(f"{path}/~/xcomEntries", "xcom_entries", **of_one)
        xcoms = {
            (item["task_id"], item["key"]): self._xcom(path, item["task_id"], item["key"])
            for item in listed
            if (item["task_id"], item["key"]) in audit.PLACES
        }
        failed = None
        if run["state"] == "failed":
            if self._get(path, limit=1) is None:
                return None
            asked = {"state": "failed", "order_by": "end_date"}
            # Unmapped tasks first: the task that summarises a mapped task reports all failures.
            tasks = chain(
                self._pages(path, "task_instances", **asked, **of_one),
                self._pages(path, "task_instances", **asked),
            )
            if first := next(tasks, None):
                failed = first["task_id"]
                place = failed, audit.ERROR_KEY
                if place not in xcoms:
                    xcoms[place] = self._xcom(path, *place, map_index=first["map_index"])
        state = run["state"] if run["state"] in _OVER else "running"
        return audit.entry(_run(run, state), xcoms, failed=failed)

    def _xcom(self, path: str, task: str, key: str, map_index: int = audit.UNMAPPED) -> Any:
        one = self._get(f"{path}/{task}/xcomEntries/{key}", deserialize=True, map_index=map_index)
        return (one or {}).get("value")

    def _pages(self, path: str, items: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a paged list; nothing if Airflow answers 404."""
        offset = 0
        while page := self._get(path, limit=_PAGE, offset=offset, **parameters):
            yield from page[items]
            offset += len(page[items])
            if not page[items] or offset >= page["total_entries"]:
                return

    def _get(self, path: str, **parameters: Any) -> Any:
        try:
            answer = self._session.get(f"{self._base}/{path}", params=parameters, timeout=_SECONDS)
        except requests.RequestException as error:
            raise AuditError(f"Airflow at {self._base} does not answer: {error}") from error
        if answer.status_code == 404:
            return None
        if not answer.ok:
            raise AuditError(f"Airflow answers {answer.status_code} to {path}: {answer.text[:200]}")
        return answer.json()


def since(text: str, now: datetime) -> datetime:
    """``90m``, ``24h``, ``7d`` before now, or a date or time (ISO 8601; UTC without a zone).

    :raises argparse.ArgumentTypeError: for anything else.
    """
    if found := _AGE.fullmatch(text):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither 90m, 24h or 7d nor a date such as 2026-01-31"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(words: list[str] | None = None) -> int:
    """List the entries; exit status 1 when Airflow cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m manifest_engine.audit",
        description="Who deployed, rolled back and removed what. Asks AIRFLOW_URL as "
        "AIRFLOW_TOKEN, or as AIRFLOW_USER with AIRFLOW_PASSWORD.",
    )
    parser.add_argument("--since", default="7d", help="90m, 24h, 7d (default), or a date or time")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    asked = parser.parse_args(words)
    try:
        begin = since(asked.since, datetime.now(UTC))
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    try:
        for entry in _record().entries(begin):
            text = json.dumps(entry, ensure_ascii=False) if asked.json else audit.line(entry)
            sys.stdout.write(text + "\n")
    except AuditError as error:
        sys.stderr.write(f"audit: {error}\n")
        return 1
    return 0


def _record() -> AirflowRecord:
    url = os.environ.get("AIRFLOW_URL", "http://localhost:8080")
    if token := os.environ.get("AIRFLOW_TOKEN"):
        return AirflowRecord(url, token)
    login = {
        "username": os.environ.get("AIRFLOW_USER", ""),
        "password": os.environ.get("AIRFLOW_PASSWORD", ""),
    }
    try:
        answer = requests.post(f"{url.rstrip('/')}/auth/token", json=login, timeout=_SECONDS)
    except requests.RequestException as error:
        raise AuditError(f"Airflow at {url} does not answer: {error}") from error
    if not answer.ok:
        raise AuditError(
            f"Airflow at {url} gives no token (HTTP {answer.status_code}): set AIRFLOW_TOKEN, or "
            "AIRFLOW_USER and AIRFLOW_PASSWORD."
        )
    return AirflowRecord(url, answer.json()["access_token"])


def _run(run: dict[str, Any], state: str) -> audit.Run:
    def moment(key: str) -> datetime | None:
        return datetime.fromisoformat(run[key]) if run.get(key) else None

    return audit.Run(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        state=state,
        conf=run.get("conf") or {},
        triggered_by=run.get("triggered_by"),
        user=run.get("triggering_user_name"),
        requested_at=moment("run_after"),
        started_at=moment("start_date"),
        ended_at=moment("end_date"),
    )


if __name__ == "__main__":
    sys.exit(main())
