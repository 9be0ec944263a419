"""Deploy as a portal does: ``python infra_hub_client.py MANIFEST.json ORDER_ID``.

AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD name the API and the user. The order's id is the run
id, so a repeated order follows the first run. The client ends when the URL answers; the run then
only records the release. Exit status: 0 live, 1 failed, 2 refused."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter, Retry

URL = os.environ["AIRFLOW_URL"].rstrip("/")
RUNS = f"{URL}/api/v2/dags/deploy_service/dagRuns"
http = requests.Session()
# Every request can be repeated, even a POST, because the order's id is the run id.
again = Retry(total=8, backoff_factor=0.5, status_forcelist=[500, 502, 503], allowed_methods=None)
http.mount(URL, HTTPAdapter(max_retries=again))


def ask(method: str, path: str = "", **more: object) -> requests.Response:
    answer = http.request(method, RUNS + path, timeout=30, **more)
    if answer.status_code == 401:  # no token yet, or the token has expired
        account = {
            "username": os.environ["AIRFLOW_USER"],
            "password": os.environ["AIRFLOW_PASSWORD"],
        }
        login = http.post(f"{URL}/auth/token", json=account, timeout=30)
        login.raise_for_status()
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        answer = http.request(method, RUNS + path, timeout=30, **more)
    return answer


def main(manifest: dict, order: str) -> tuple[str, int]:
    created = ask("POST", json={"logical_date": None, "dag_run_id": order, "conf": manifest})
    if created.status_code not in (200, 409):  # 409: a run with this id exists
        return f"refused (HTTP {created.status_code}): {created.json()['detail']}", 2
    if ask("GET", f"/{order}").json()["conf"] != manifest:
        return f"refused: the id {order} was used before, for another manifest", 2
    state, seen = "queued", dict[str, str]()
    while state not in ("success", "failed"):
        time.sleep(1)
        state = ask("GET", f"/{order}").json()["state"]
        for task in ask("GET", f"/{order}/taskInstances").json()["task_instances"]:
            if task["state"] and seen.get(task["task_id"]) != task["state"]:
                print(f"{task['task_id']:<18} {task['state']}", flush=True)
                seen[task["task_id"]] = task["state"]
        if seen.get("publish_route") == "success":
            return result(order, "publish_route", "return_value")["url"], 0
    if state == "success":
        return "nothing to deploy: it was a dry run", 0
    failed = next((name for name, how in seen.items() if how == "failed"), "validate")
    return f"failed at {failed}: {result(order, failed, 'error') or 'see its log in Airflow'}", 1


def result(order: str, task: str, key: str) -> Any:
    return ask("GET", f"/{order}/taskInstances/{task}/xcomEntries/{key}").json().get("value")


if __name__ == "__main__":
    outcome, status = main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
    print(outcome)
    sys.exit(status)
