"""A portal gets events as docs/events.md promises, although parts are killed."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import follow, upload
from sandbox.core import process
from sandbox.core.settings import REPOSITORY, SETTINGS
from tests.e2e.recovery.test_scheduler_killed import family_of_the_scheduler

pytestmark = pytest.mark.alone
CONNECTION = "e2e_portal"
SENDER = "dags/send_events"
_SECONDS = 240


@dataclass
class Portal:
    """The receiver in a separate process."""

    api: AirflowApi
    folder: Path
    port: int
    secret: str
    child: subprocess.Popen[bytes] | None = None

    @property
    def hold(self) -> Path:
        """While this file exists, the portal records an event and answers late."""
        return self.folder / "events.jsonl.hold"

    @property
    def refuse(self) -> Path:
        """While this file exists, the portal answers with the status in it."""
        return self.folder / "events.jsonl.refuse"

    def refused(self) -> list[str]:
        """Ids of the refused requests."""
        file = self.folder / "events.jsonl.refused"
        return file.read_text().split() if file.exists() else []

    def start(self) -> None:
        module = "sandbox.services.webhook.receiver"
        words = ["--port", str(self.port), "--secret", self.secret]
        file = ["--file", self.folder / "events.jsonl"]
        self.child = subprocess.Popen([sys.executable, "-m", module, *words, *file], cwd=REPOSITORY)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def all(self) -> list[dict[str, Any]]:
        file = self.folder / "events.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def told(self, service: Any) -> list[dict[str, Any]]:
        """The events of the service."""
        name = service.manifest["serviceName"]
        return [event for event in self.all() if event["customData"]["serviceName"] == name]

    def times(self, service: Any) -> list[int]:
        """How often each event of the service came, in order."""
        return list(Counter(event["context"]["id"] for event in self.told(service)).values())

    def kinds(self, service: Any) -> list[str]:
        """The last words of the types of the service's events, in order and without repetition."""
        events = {event["context"]["id"]: event for event in self.told(service)}
        return [".".join(kind(event)) for event in events.values()]

    def wait(self, service: Any, last: str, count: int) -> list[str]:
        """Wait until the service has ``count`` events, the last of which has this kind."""
        end = time.monotonic() + _SECONDS
        while len(found := self.kinds(service)) < count:
            assert time.monotonic() < end, f"only {found}; the sender: {self._sender()}"
            time.sleep(0.3)
        assert found[-1] == last, found
        return found

    def _sender(self) -> str:
        return json.dumps(sender_tasks(self.api))[:2000]


def kind(event: dict[str, Any]) -> list[str]:
    """``service``, ``deployed``."""
    return event["context"]["type"].rpartition("-")[2].removeprefix("dev.cdevents.").split(".")[:2]


@pytest.fixture
def portal(api: AirflowApi, tmp_path: Path) -> Iterator[Portal]:
    """A portal that receives the events of ``dev`` and ``prod``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    made = Portal(api, tmp_path, port, secret)
    connection = {"connection_id": CONNECTION, "conn_type": "generic", "password": secret}
    api.session.delete(f"{api.base}/connections/{CONNECTION}", timeout=30)
    api.session.post(f"{api.base}/connections", json=connection, timeout=30).raise_for_status()
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    before = path.read_text()
    content = yaml.safe_load(before)
    url = f"http://127.0.0.1:{port}/hooks/deployments"
    sink = {"url": url, "connection": CONNECTION, "allowHttp": True}
    for name in ("dev", "prod"):
        content["environments"][name]["events"] = [sink]
    path.write_text(yaml.safe_dump(content))
    made.start()
    try:
        wait_for(lambda: (api.get(SENDER) or {}).get("is_stale") is False, "the DAG send_events")
        # A new file of environments is a new version of deploy_service once it is parsed again.
        wait_for(lambda: "datafactory-waits" in aliases(api), "the outlet of push_image")
        # A new receiver gets events from its first run of send_events on, so none of other tests.
        run_id = f"e2e-{time.time_ns()}"
        api.trigger("send_events", {}, run_id)
        assert follow(api, run_id, dag_id="send_events").ok
        yield made
    finally:
        path.write_text(before)
        made.kill()


def sender_tasks(api: AirflowApi) -> list[dict[str, Any]]:
    """The tasks of the newest run of ``send_events``."""
    runs = api.get(f"{SENDER}/dagRuns?limit=1&order_by=-run_after")["dag_runs"]
    if not runs:
        return []
    path = f"{SENDER}/dagRuns/{runs[0]['dag_run_id']}/taskInstances"
    return list(api.get(path)["task_instances"])


def aliases(api: AirflowApi) -> list[str]:
    return [item["name"] for item in api.get("assets/aliases?limit=100")["asset_aliases"]]


def wait_for(what: Callable[[], Any], named: str) -> None:
    end = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < end, f"{named} did not appear"
        time.sleep(0.5)


def run(api: AirflowApi, dag: str, service: Any, **more: Any) -> Any:
    run_id = f"e2e-{time.time_ns()}"
    asked = {key: service.manifest[key] for key in ("component", "serviceName", "environment")}
    api.trigger(dag, asked | more, run_id)
    return follow(api, run_id, dag_id=dag)


def test_a_portal_receives_all_events_of_a_service(service, api, portal):
    plain = service("plain-service")
    assert plain.deploy(plain.source("plain-service", "one"), version="1.0", to_end=True).ok
    built = ["artifact.packaged", "artifact.published"]
    life = [*built, "service.deployed"]
    assert portal.wait(plain, "service.deployed", 3) == life

    portal.kill()  # the sink is away while a deployment goes on
    assert plain.deploy(plain.source("plain-service", "two"), version="1.1", to_end=True).ok
    broken = plain.source("def ", "raise SystemExit('no licence')\ndef ")
    failed = plain.deploy(broken, version="1.2", to_end=True)
    assert not failed.ok
    portal.start()
    life += [*built, "service.upgraded", *built, "deployment.failed"]
    assert portal.wait(plain, "deployment.failed", len(life)) == life

    back = run(api, "rollback_service", plain)
    assert back.ok, back.error
    gone = run(api, "remove_service", plain, confirm=plain.object_name)
    assert gone.state == "success", gone.error
    life += ["service.rolledback", "service.removed"]
    assert portal.wait(plain, "service.removed", len(life)) == life

    told = portal.told(plain)
    assert len(told) == len(life)  # nothing twice
    failure = told[life.index("deployment.failed")]
    assert failure["subject"]["content"]["sentence"] == failed.error
    assert failure["subject"]["content"]["step"] == failed.failed_step
    assert failure["customData"]["by"] == "admin"
    assert failure["customData"]["run"] == failed.run_id
    assert told[2]["subject"]["content"]["environment"] == {"id": "dev"}
    assert told[2]["subject"]["content"]["artifactId"].startswith("pkg:oci/")


def test_what_is_killed_in_between_hides_nothing(service, api, portal):
    plain = service("plain-service")
    portal.hold.touch()
    assert plain.deploy(plain.source("plain-service", "one"), version="1.0", to_end=True).ok
    wait_for(lambda: portal.told(plain), "the first event")
    # The event has arrived, and nobody has recorded that.
    wait_for(lambda: killed(sender(portal.port)), "a process that talks to the portal")
    portal.hold.unlink()
    life = ["artifact.packaged", "artifact.published", "service.deployed"]
    assert portal.wait(plain, "service.deployed", 3) == life
    first, *others = portal.times(plain)
    assert first >= 2  # at least once, with the same id
    assert others == [1, 1]

    portal.hold.touch()
    fail(api, plain)
    assert portal.wait(plain, "deployment.failed", 4) == [*life, "deployment.failed"]
    airflow = process.find("airflow")
    assert airflow is not None
    for member in family_of_the_scheduler(airflow):  # with the workers and the sender
        killed(member)
    portal.kill()
    Airflow().restart()
    portal.hold.unlink()
    portal.start()
    fail(api, plain)
    assert portal.wait(plain, "deployment.failed", 5) == [*life, *["deployment.failed"] * 2]
    *_, failed, last = portal.times(plain)
    assert failed >= 2
    assert last == 1


def test_a_receiver_that_refuses_gets_each_event_once_and_in_order(service, api, portal):
    plain = service("plain-service")
    portal.refuse.write_text("503")
    runs = [fail(api, plain)]
    wait_for(portal.refused, "a refused event")
    # The task has given up for now, and its next try goes on.
    wait_for(
        lambda: [item["state"] for item in sender_tasks(api)] == ["up_for_retry"],
        "a try of send_events that has failed",
    )
    runs.append(fail(api, plain))
    assert portal.told(plain) == []
    portal.refuse.unlink()
    portal.wait(plain, "deployment.failed", 2)
    assert [event["customData"]["run"] for event in portal.told(plain)] == runs
    first, second = [event["context"]["id"] for event in portal.told(plain)]
    assert first in portal.refused()
    assert second not in portal.refused()


def test_a_run_that_is_killed_and_one_that_waits_are_told(service, api, portal):
    plain = service("plain-service")
    plain.manifest["environment"] = "prod"
    run_id = f"e2e-{time.time_ns()}"
    name = plain.manifest["serviceName"]
    version = plain.manifest["version"]
    upload(plain.zip(), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
    api.trigger("deploy_service", plain.manifest, run_id)
    assert portal.wait(plain, "deployment.waiting", 1) == ["deployment.waiting"]
    (waiting,) = portal.told(plain)
    assert waiting["customData"]["state"] == "waiting for approval"
    assert waiting["subject"]["content"]["environment"] == {"id": "prod"}
    path = f"{api.base}/dags/deploy_service/dagRuns/{run_id}"
    api.session.patch(path, json={"state": "failed"}, timeout=30).raise_for_status()
    life = portal.wait(plain, "deployment.failed", 4)
    assert life == [
        *("deployment.waiting", "artifact.packaged", "artifact.published", "deployment.failed")
    ]
    failed = portal.told(plain)[-1]
    assert failed["customData"]["run"] == run_id
    assert failed["subject"]["content"]["sentence"]


def fail(api: AirflowApi, service: Any) -> str:
    """A deployment whose ZIP does not exist, to its end; returns the run id."""
    run_id = f"e2e-{time.time_ns()}"
    missing = {"artifact": "datafactory/e2e/no/such.zip"}
    api.trigger("deploy_service", service.manifest | missing, run_id)
    assert follow(api, run_id).failed_step == "download_artifact"
    return run_id


def sender(port: int) -> psutil.Process | None:
    """The process of the task ``send_events`` while it is connected to the portal."""
    airflow = process.find("airflow")
    assert airflow is not None
    for child in airflow.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if port in [peer.raddr.port for peer in child.net_connections("tcp") if peer.raddr]:
                return child
    return None


def killed(found: psutil.Process | None) -> bool:
    """Kill a process; whether there was one."""
    if found is None:
        return False
    with suppress(psutil.NoSuchProcess):
        found.kill()
    return True
