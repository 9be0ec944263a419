"""Deploy as a portal does: ``python infra_hub_client.py MANIFEST.json ORDER_ID``.

AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD name the server and the user. A repeated order
follows its first deployment. Exit status: 0 live, 1 failed, 2 refused."""

import json
import os
import sys
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter, Retry

URL = os.environ["AIRFLOW_URL"].rstrip("/")
DEPLOYMENTS = f"{URL}/manifest-engine/api/v1/deployments"
http = requests.Session()
# Every request can be repeated, even a POST, because of its Idempotency-Key.
again = Retry(total=8, backoff_factor=0.5, status_forcelist=[500, 502, 503], allowed_methods=None)
http.mount(URL, HTTPAdapter(max_retries=again))


def ask(method: str, path: str = "", **more: object) -> requests.Response:
    answer = http.request(method, DEPLOYMENTS + path, timeout=60, **more)
    if answer.status_code == 401:  # no token yet, or the token has expired
        account = {
            "username": os.environ["AIRFLOW_USER"],
            "password": os.environ["AIRFLOW_PASSWORD"],
        }
        login = http.post(f"{URL}/auth/token", json=account, timeout=30)
        login.raise_for_status()
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        answer = http.request(method, DEPLOYMENTS + path, timeout=60, **more)
    return answer


def main(manifest: dict, order: str) -> tuple[str, int]:
    begun = ask("POST", json=manifest, headers={"Idempotency-Key": order})
    if begun.status_code != 202:
        problem = begun.json()
        errors = [item["detail"] for item in problem.get("errors", [])]
        return f"refused: {'; '.join(errors or [problem['detail']])}", 2
    path, after, end = f"/{begun.json()['id']}", "", {"state": "running"}
    while end["state"] in ("queued", "running", "waiting for approval"):
        try:
            for line in ask(
                "GET", f"{path}/events", headers={"Last-Event-ID": after}, stream=True
            ).iter_lines(decode_unicode=True):
                key, _, value = line.partition(": ")
                after = value if key == "id" else after
                found = json.loads(value) if key == "data" else {}
                if "tries" in found:
                    print(f"{found['name']:<18} {found['state']}", flush=True)
                elif found:
                    end = found
        except requests.RequestException:
            continue  # the server restarts: resume
    if end["state"] == "live":
        return end["url"], 0
    return (
        f"{end['state']} at {end['failedStep'] or 'validate'}: {end['error'] or end['changes']}",
        1,
    )


if __name__ == "__main__":
    outcome, status = main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
    print(outcome)
    sys.exit(status)
