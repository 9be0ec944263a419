"""Airflow's record of a night with more tasks than a page, asked as its REST API wants it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from manifest_engine.audit import AirflowRecord

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SERVICES = 250
SUMMARY = "7 of 250 services could not be rebuilt."


class Airflow:
    """One run of ``rebuild_services``; lists are given in pages of at most 100."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.xcoms: dict[tuple[str, int, str], Any] = {}
        self.deleted = False

    def failed(self, task: str, index: int, sentence: str, *, at: int) -> None:
        ended = f"2026-01-02T03:{at // 60:02}:{at % 60:02}Z"
        self.tasks.append({"task_id": task, "map_index": index, "end_date": ended})
        self.xcoms[task, index, "error"] = sentence

    def answer(self, path: str, asked: dict[str, str]) -> Any:
        index = asked.get("map_index")
        if path.endswith("/dagRuns"):
            runs = [self._run()] if "/rebuild_services/" in path else []
            return _page("dag_runs", runs, asked)
        if path.endswith("/taskInstances"):
            tasks = [t for t in self.tasks if index in (None, str(t["map_index"]))]
            tasks.sort(key=lambda task: task[asked["order_by"]] if "order_by" in asked else "")
            return None if self.deleted else _page("task_instances", tasks, asked)
        if path.endswith("/~/xcomEntries"):
            places = [place for place in self.xcoms if index in (None, str(place[1]))]
            found = [{"task_id": t, "map_index": i, "key": k} for t, i, k in sorted(places)]
            return _page("xcom_entries", [] if self.deleted else found, asked)
        task, _, key = path.rpartition("/taskInstances/")[2].split("/")
        place = task, int(index or -1), key
        return {"value": self.xcoms[place]} if place in self.xcoms else None

    def _run(self) -> dict[str, Any]:
        return {
            "dag_id": "rebuild_services",
            "dag_run_id": "night",
            "state": "failed",
            "run_after": "2026-01-02T03:00:00Z",
        }


def _page(name: str, items: list[Any], asked: dict[str, str]) -> dict[str, Any]:
    begin, size = int(asked.get("offset", 0)), min(100, int(asked.get("limit", 50)))
    return {name: items[begin : begin + size], "total_entries": len(items)}


@pytest.fixture
def airflow() -> Iterator[tuple[Airflow, AirflowRecord]]:
    known = Airflow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {key: value[0] for key, value in parse_qs(url.query).items()}
            found = known.answer(url.path, asked)
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield known, AirflowRecord(f"http://127.0.0.1:{server.server_port}", "token")
        server.shutdown()


def a_night(known: Airflow) -> None:
    for index in range(SERVICES):
        known.xcoms["rebuild", index, "return_value"] = {"service": index}
    for index in range(7):
        known.failed("rebuild", index, f"Service {index} answers 500.", at=index)


def test_a_nightly_run_of_several_pages_has_the_sentence_of_its_summary(
    airflow: tuple[Airflow, AirflowRecord],
) -> None:
    known, record = airflow
    a_night(known)
    known.failed("summarise", -1, SUMMARY, at=100)
    (entry,) = record.entries(SINCE)
    assert (entry["failedStep"], entry["sentence"]) == ("summarise", SUMMARY)


def test_pages_are_read_to_the_last_one(airflow: tuple[Airflow, AirflowRecord]) -> None:
    known, record = airflow
    for number in range(SERVICES):
        known.xcoms[f"a_task_{number}", -1, "return_value"] = number
    known.xcoms["record_release", -1, "return_value"] = {"url": "https://host/path"}
    (entry,) = record.entries(SINCE)
    assert entry["url"] == "https://host/path"


def test_a_mapped_task_without_a_summary_reports_its_own_sentence(
    airflow: tuple[Airflow, AirflowRecord],
) -> None:
    known, record = airflow
    known.failed("rebuild", 3, "Service 3 answers 500.", at=2)
    known.failed("rebuild", 5, "Service 5 answers 500.", at=1)
    (entry,) = record.entries(SINCE)
    assert (entry["failedStep"], entry["sentence"]) == ("rebuild", "Service 5 answers 500.")


def test_a_run_that_is_deleted_meanwhile_is_left_out(
    airflow: tuple[Airflow, AirflowRecord],
) -> None:
    known, record = airflow
    a_night(known)
    known.deleted = True
    assert list(record.entries(SINCE)) == []
