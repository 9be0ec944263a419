"""Runs inside the new image, beside the service: asks it over localhost and writes the verdict.

To its log, which can be read at once, and as its termination message, which the pod's status shows
up to a second later and keeps.

Read as text and run by ``python3 -c``, so it uses the standard library alone, and no syntax newer
than Python 3.6. Its one argument is JSON; see :func:`manifest_engine.domain.smoke.pod.smoke_pod`.
"""

import http.client
import json
import pathlib
import sys
import time
from typing import Any

PAUSE_SECONDS = 0.05
ANSWERED_PAUSE_SECONDS = 0.5
"""Once it answers, though wrongly: its log is for people to read."""
SETTLE_SECONDS = 5.0
"""A wrong answer may still become right for so long; `not yet` answers have the whole time."""
NOT_YET = (429, 502, 503, 504)
BODY_MAX = 1 << 20
"""As much as ``hooks.route.public_url`` reads: both look for the same text."""
EXCERPT_MAX = 300
"""Characters; each may take six bytes as JSON, and a termination message holds 4096 in all."""


def ask(port: int, path: str) -> Any:
    """Status and body of one GET; raises OSError or HTTPException when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"User-Agent": "manifest-engine-smoke-test"})
        answer = connection.getresponse()
        return answer.status, answer.read(BODY_MAX).decode("utf-8", "replace")
    finally:
        connection.close()


def judge(wanted: Any, status: int, body: str) -> str:
    """What is wrong with the answer, empty if nothing."""
    if status != wanted["expectStatus"]:
        return f"answered {status} instead of {wanted['expectStatus']}"
    text = wanted.get("expectBody")
    if text and text not in body:
        return f"answered {status}, but without {text[:100]!r} in the body"
    return ""


def probe(wanted: Any) -> Any:
    """Ask until the answer is right, or time is over, or a wrong answer stays."""
    begin = time.monotonic()
    first_wrong = None
    status, body, problem = None, "", f"got no answer on port {wanted['port']}"
    while True:
        try:
            status, body = ask(wanted["port"], wanted["path"])
            problem = judge(wanted, status, body)
        except (OSError, http.client.HTTPException) as error:
            if status is None:
                problem = f"got no answer on port {wanted['port']} ({error})"
        now = time.monotonic()
        if problem and status is not None and status not in NOT_YET:
            first_wrong = first_wrong or now
        if (
            not problem
            or now - begin > wanted["timeoutSeconds"]
            or (first_wrong and now - first_wrong > SETTLE_SECONDS)
        ):
            return {
                "digest": wanted["digest"],
                "runId": wanted["runId"],
                "asked": wanted["path"],
                "status": status,
                "body": body[:EXCERPT_MAX],
                "problem": problem,
                "ok": not problem,
                "seconds": round(now - begin, 3),
            }
        time.sleep(PAUSE_SECONDS if status is None else ANSWERED_PAUSE_SECONDS)


if __name__ == "__main__":
    verdict = json.dumps(probe(json.loads(sys.argv[1])))
    pathlib.Path("/dev/termination-log").write_text(verdict)
    sys.stdout.write(verdict + "\n")
