"""A client of Airflow's REST API, as Infra Hub would use it."""

from __future__ import annotations

from typing import Any, Protocol

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from sandbox.core.part import SandboxError

_ANSWER_SECONDS = 30
_RESTART_SECONDS = 90  # a restart of the API server takes 30 s


def fetch_token(url: str, password: str, user: str = "admin") -> str:
    """Fetch a bearer token. Raises SandboxError."""
    login = {"username": user, "password": password}
    answer = requests.post(f"{url}/auth/token", json=login, timeout=_ANSWER_SECONDS)
    if not answer.ok:
        raise SandboxError(f"Airflow at {url} gave no token: HTTP {answer.status_code}")
    return str(answer.json()["access_token"])


class Server(Protocol):
    """An Airflow of the sandbox."""

    url: str

    def token(self) -> str: ...


class AirflowApi:
    """A logged-in client of one Airflow."""

    def __init__(self, airflow: Server) -> None:
        self.airflow = airflow
        self.base = f"{airflow.url}/api/v2"
        self.session = requests.Session()
        self._log_in()

    def _log_in(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.airflow.token()}"

    @retry(
        retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout)),
        stop=stop_after_delay(_RESTART_SECONDS),
        wait=wait_fixed(1),
        reraise=True,
    )
    def get(self, path: str) -> Any:
        """The JSON of the answer; None for 404. Waits while the server restarts."""
        answer = self.session.get(f"{self.base}/{path}", timeout=_ANSWER_SECONDS)
        if answer.status_code in (401, 403):  # a restart invalidates tokens
            self._log_in()
            answer = self.session.get(f"{self.base}/{path}", timeout=_ANSWER_SECONDS)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def trigger(self, dag_id: str, conf: dict[str, Any], run_id: str) -> None:
        """Start a run. Raises SandboxError with the API's message."""
        answer = self.session.post(
            f"{self.base}/dags/{dag_id}/dagRuns",
            json={"conf": conf, "dag_run_id": run_id, "logical_date": None},
            timeout=_ANSWER_SECONDS,
        )
        if answer.status_code >= 400:
            detail = answer.json().get("detail", answer.text)
            raise SandboxError(
                f"Airflow refused the manifest (HTTP {answer.status_code}): {detail}"
            )

    def xcom(self, run: str, task: str, key: str = "return_value") -> Any:
        entry = self.get(f"{run}/taskInstances/{task}/xcomEntries/{key}?deserialize=true")
        return entry["value"] if entry else None
