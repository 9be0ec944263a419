"""A portal: ``python infra_hub_client.py deploy|rollback|remove MANIFEST.json ORDER_ID``.

AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD name the server and the user. A repeated order
follows its first run. Exit status: 0 live or removed, 1 failed, 2 refused or no answer."""

import json
import sys
from os import environ
from pathlib import Path

from manifest_engine.client import deployments, events
from manifest_engine.client.credentials import Credentials
from manifest_engine.client.errors import Stopped
from manifest_engine.client.server import Server

verb, manifest, order = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
try:
    server = Server(environ["AIRFLOW_URL"], Credentials.of(environ))
    if verb == "deploy":
        run = deployments.start(server, order, json=manifest)
    else:
        service, environment = deployments.service(manifest)
        where = {"environment": environment}
        if verb == "rollback":
            run = deployments.start(server, order, path=f"{service}/rollback", json=where)
        else:
            run = deployments.start(server, order, "DELETE", service, params=where)
    for kind, data in events.follow(server, run, deadline=None):
        if kind == "step":
            print(f"{data['name']:<18} {data['state']}", flush=True)
    end = deployments.read(server, run)
except Stopped as refused:
    print("refused:", "; ".join(item["detail"] for item in refused.errors) or refused)
    sys.exit(2)
good = end["state"] in events.GOOD
print(
    end["url"] or end["state"] if good else f"{end['state']} at {end['failedStep']}: {end['error']}"
)
sys.exit(0 if good else 1)
