"""Deploy as a portal does: ``python infra_hub_client.py MANIFEST.json ORDER_ID``.

AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD say where and who. The order's id is the run's: given
again, its run is followed and no other started. Exit status: 0 live, 1 failed, 2 refused."""

import json
import os
import sys
import time
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter, Retry

URL = os.environ["AIRFLOW_URL"].rstrip("/")
RUNS = f"{URL}/api/v2/dags/deploy_service/dagRuns"
http = requests.Session()
# Asking again does no harm, not even a POST: the order's id makes it the same run.
again = Retry(total=8, backoff_factor=0.5, status_forcelist=[500, 502, 503], allowed_methods=None)
http.mount(URL, HTTPAdapter(max_retries=again))


def ask(method: str, path: str = "", **more: object) -> requests.Response:
    answer = http.request(method, RUNS + path, timeout=30, **more)
    if answer.status_code == 401:  # no token yet, or its day is over
        who = {"username": os.environ["AIRFLOW_USER"], "password": os.environ["AIRFLOW_PASSWORD"]}
        given = http.post(f"{URL}/auth/token", json=who, timeout=30)
        given.raise_for_status()
        http.headers["Authorization"] = f"Bearer {given.json()['access_token']}"
        answer = http.request(method, RUNS + path, timeout=30, **more)
    return answer


def main(manifest: dict, order: str) -> tuple[str, int]:
    begun = ask("POST", json={"logical_date": None, "dag_run_id": order, "conf": manifest})
    if begun.status_code not in (200, 409):  # 409: there is a run with this id
        return f"refused (HTTP {begun.status_code}): {begun.json()['detail']}", 2
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
    found = "/xcomEntries/return_value" if state == "success" else "/xcomEntries/error"
    last = [name for name, how in seen.items() if how == "failed"] or ["record_release"]
    left = ask("GET", f"/{order}/taskInstances/{last[0]}{found}").json().get("value")
    if state == "success":
        return left["url"] if left else "nothing to deploy: it was a dry run", 0
    return f"failed at {last[0]}: {left or 'see its log in Airflow'}", 1


if __name__ == "__main__":
    told, status = main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
    print(told)
    sys.exit(status)
