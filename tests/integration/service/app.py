"""A service whose behaviour the tests choose by environment variables; standard library alone."""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("MODE", "good")
UNPRINTABLE = "\0 \x1b[31m \x1b]0;title\x07 \x84 \u202e"
TEXT = os.environ.get("TEXT", "hello").replace("UNPRINTABLE", UNPRINTABLE)
BELOW = os.environ.get("BELOW", "")
LINKS = os.environ.get("LINKS", "")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0].removeprefix(BELOW)
        status = 200 if path in ("/", "/health") else 404
        if MODE == "unhealthy" and path == "/health":
            status = 418
        if MODE == "starting" and path == "/health":
            status = 503
        prefix = self.headers.get("X-Forwarded-Prefix", "")
        body = f"{TEXT} from {path} behind [{prefix}]".encode()
        if LINKS and path == "/":
            body = LINKS.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


print(f"starting in mode {MODE}", flush=True)
if MODE == "crash-noisily":
    # The kubelet's termination message has the last 2,048 bytes.
    print(f"{UNPRINTABLE} cannot open the price list" + 1_500 * "x", file=sys.stderr, flush=True)
    sys.exit(3)
if MODE == "crash":
    print("cannot open the price list", file=sys.stderr, flush=True)
    sys.exit(3)
if MODE == "slow":
    time.sleep(float(os.environ.get("AFTER", "4")))
if MODE == "leave":
    sys.exit(0)
if MODE == "crash-later":
    time.sleep(float(os.environ.get("AFTER", "4")))
    print("lost the price list", file=sys.stderr, flush=True)
    sys.exit(4)
if MODE == "crash-when-ready":

    def crash():
        time.sleep(float(os.environ.get("AFTER", "4")))
        print("lost the price list", file=sys.stderr, flush=True)
        os._exit(4)

    threading.Thread(target=crash).start()
if MODE == "greedy":
    hoard = [bytearray(8 << 20) for _ in range(1000)]
ThreadingHTTPServer(("", int(os.environ.get("PORT", "8002"))), Handler).serve_forever()
