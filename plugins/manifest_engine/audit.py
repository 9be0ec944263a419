"""``python -m manifest_engine.audit``: who deployed, rolled back and removed what, and how it went.

Reads Airflow's own record through its REST API, so it works without the audit file and from any
machine; ``docs/audit.md`` describes the entries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from manifest_engine.domain import audit

_SECONDS = 30
_PAGE = 100
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_OVER = ("success", "failed")


class AuditError(Exception):
    """Airflow cannot be asked; the message says why."""


class AirflowRecord:
    """Airflow's REST API, as far as the audit reads it.

    :param url: ``https://host[:port]``.
    :param token: a bearer token.
    """

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v2"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def entries(self, since: datetime) -> Iterator[dict[str, Any]]:
        """One per run asked for since then, the oldest first. Raises AuditError."""
        found = [run for dag in audit.ACTIONS for run in self._runs(dag, since)]
        for run in sorted(found, key=lambda item: str(item["run_after"])):
            yield self._entry(run)

    def _runs(self, dag_id: str, since: datetime) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._get(
                f"dags/{dag_id}/dagRuns",
                run_after_gte=since.isoformat(),
                order_by="run_after",
                limit=_PAGE,
                offset=offset,
            )
            runs = (page or {}).get("dag_runs") or []
            yield from runs
            offset += len(runs)
            if not runs or offset >= page["total_entries"]:
                return

    def _entry(self, run: dict[str, Any]) -> dict[str, Any]:
        path = f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        listed = self._get(f"{path}/~/xcomEntries", limit=_PAGE) or {"xcom_entries": []}
        xcoms = {}
        for item in listed["xcom_entries"]:
            place = item["task_id"], item["key"]
            if item["key"] in audit.KEYS:
                one = self._get(f"{path}/{place[0]}/xcomEntries/{place[1]}", deserialize=True)
                xcoms[place] = (one or {}).get("value")
        failed = None
        if run["state"] == "failed":
            tasks = (self._get(path, state="failed", limit=_PAGE) or {})["task_instances"]
            ended = sorted(tasks, key=lambda task: str(task["end_date"]))
            failed = ended[0]["task_id"] if ended else None
        state = run["state"] if run["state"] in _OVER else "running"
        return audit.entry(_run(run, state), xcoms, failed=failed)

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
    if found := re.fullmatch(r"(\d+)([mhd])", text):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither 90m, 24h or 7d nor a date such as 2026-01-31"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(words: list[str] | None = None) -> int:
    """List the entries; exit status 1 when Airflow cannot be asked."""
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
