"""Calls one URL again and again: ``python load.py URL CLIENTS PAUSE``.

Runs until its standard input ends, then prints one JSON object with counts and the first failures.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit


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
