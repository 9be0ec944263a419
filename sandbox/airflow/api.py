"""Airflow's REST API as a client such as Infra Hub sees it."""

from __future__ import annotations

from typing import Any, Protocol

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from sandbox.core.part import SandboxError

_ANSWER_SECONDS = 30
_AWAY_SECONDS = 90  # an API server is back 30 s after it was stopped


class Server(Protocol):
    """An Airflow of the sandbox."""

    url: str

    def token(self) -> str: ...


class AirflowApi:
    """One Airflow, logged in to."""

    def __init__(self, airflow: Server) -> None:
        self.airflow = airflow
        self.base = f"{airflow.url}/api/v2"
        self.session = requests.Session()
        self._log_in()

    def _log_in(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.airflow.token()}"

    @retry(
        retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout)),
        stop=stop_after_delay(_AWAY_SECONDS),
        wait=wait_fixed(1),
        reraise=True,
    )
    def get(self, path: str) -> Any:
        """The answer's JSON, None for 404; a server that restarts is waited for."""
        answer = self.session.get(f"{self.base}/{path}", timeout=_ANSWER_SECONDS)
        if answer.status_code in (401, 403):  # a token of before a restart
            self._log_in()
            answer = self.session.get(f"{self.base}/{path}", timeout=_ANSWER_SECONDS)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def trigger(self, dag_id: str, conf: dict[str, Any], run_id: str) -> None:
        """Start a run. Raises SandboxError with the API's own words when it refuses."""
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
