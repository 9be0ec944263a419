"""Runs inside the new image, beside the service: calls the service and writes the verdict.

The verdict goes to the log, which can be read at once, and to the termination message, which the
pod's status shows up to a second later and keeps.

``python3 -c`` runs the text of this file in any image, so the file uses the standard library alone
and no syntax newer than Python 3.6. The one argument is JSON; see
:func:`manifest_engine.domain.smoke.pod.smoke_pod`.
"""

import http.client
import json
import pathlib
import sys
import time
from typing import Any

PAUSE_SECONDS = 0.05
ANSWERED_PAUSE_SECONDS = 0.5
"""Longer pause after a wrong answer, which keeps the service's log readable."""
SETTLE_SECONDS = 5.0
"""How long a wrong answer may become right; a `not yet` answer has the whole timeout."""
NOT_YET = (429, 502, 503, 504)
BODY_MAX = 1 << 20
"""The limit of ``hooks.route.public_url``: both search the same part of the body."""
EXCERPT_MAX = 300
"""Characters; a character takes up to six bytes as JSON, and a termination message 4096 bytes."""


def ask(port: int, path: str) -> Any:
    """Status and body of one GET; raises OSError or HTTPException without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"User-Agent": "manifest-engine-smoke-test"})
        answer = connection.getresponse()
        return answer.status, answer.read(BODY_MAX).decode("utf-8", "replace")
    finally:
        connection.close()


def judge(request: Any, status: int, body: str) -> str:
    """The problem of the answer; empty if there is none."""
    if status != request["expectStatus"]:
        return f"answered {status} instead of {request['expectStatus']}"
    text = request.get("expectBody")
    if text and text not in body:
        return f"answered {status}, but without {text[:100]!r} in the body"
    return ""


def probe(request: Any) -> Any:
    """Call the service until the answer is right, a wrong answer stays, or the timeout ends."""
    begin = time.monotonic()
    first_wrong = None
    status, body, problem = None, "", f"got no answer on port {request['port']}"
    while True:
        try:
            status, body = ask(request["port"], request["path"])
            problem = judge(request, status, body)
        except (OSError, http.client.HTTPException) as error:
            if status is None:
                problem = f"got no answer on port {request['port']} ({error})"
        now = time.monotonic()
        if problem and status is not None and status not in NOT_YET:
            first_wrong = first_wrong or now
        if (
            not problem
            or now - begin > request["timeoutSeconds"]
            or (first_wrong and now - first_wrong > SETTLE_SECONDS)
        ):
            return {
                "digest": request["digest"],
                "runId": request["runId"],
                "asked": request["path"],
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
