"""Calls one URL again and again, in a process of its own so that tests do not slow it down.

``python load.py URL CLIENTS PAUSE`` runs until its standard input ends, then prints one JSON object
with counts and the first failures.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit


@contextlib.contextmanager
def calling(url: str, clients: int, pause: float) -> Iterator[dict[str, Any]]:
    """Call the URL during the block; afterwards the dict has ``sent``, ``failed`` and ``first``.

    :param clients: number of clients that call at the same time.
    :param pause: seconds between two calls of one client.
    """
    words = [sys.executable, __file__, url, str(clients), str(pause)]
    found: dict[str, Any] = {}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield found
        finally:
            found.update(json.loads(child.communicate(timeout=60)[0]))


def client(url: str, pause: float, stop: threading.Event, seen: list) -> None:
    parts = urlsplit(url)
    while not stop.is_set():
        begin = time.time()
        try:
            connection = http.client.HTTPConnection(parts.netloc, timeout=10)
            connection.request("GET", parts.path)
            answer = connection.getresponse()
            seen.append((begin, answer.status, answer.read().decode()[:100]))
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            seen.append((begin, 0, repr(error)))
        time.sleep(pause)


def main(url: str, clients: str, pause: str) -> None:
    stop = threading.Event()
    seen: list[tuple[float, int, str]] = []
    threads = [
        threading.Thread(target=client, args=(url, float(pause), stop, seen))
        for _ in range(int(clients))
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    failed = [item for item in seen if item[1] != 200]
    print(json.dumps({"sent": len(seen), "failed": len(failed), "first": failed[:5]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
