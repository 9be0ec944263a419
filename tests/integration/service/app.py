"""A service whose behaviour is set by environment variables, with only the standard library."""

import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODE = os.environ.get("MODE", "good")
UNPRINTABLE = "\0 \x1b[31m \x1b]0;title\x07 \x84 \u202e"
TEXT = os.environ.get("TEXT", "hello").replace("UNPRINTABLE", UNPRINTABLE)
BELOW = os.environ.get("BELOW", "")
LINKS = os.environ.get("LINKS", "")
AFTER = float(os.environ.get("AFTER", "4"))
HOST = os.environ.get("HOST", "")
PORT = int(os.environ.get("PORT", "8002"))
START = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0].removeprefix(BELOW)
        status = 200 if path in ("/", "/health") else 404
        if MODE == "loading" and path == "/health" and time.monotonic() - START < AFTER:
            status = 500
        if MODE == "slow-health" and path == "/health":
            time.sleep(AFTER)
        if MODE == "redirect":
            self.send_response(301)
            self.send_header("Location", f"https://{self.headers['Host']}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
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
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)


print(f"starting in mode {MODE}", flush=True)
if MODE == "crash-noisily":
    # The kubelet's termination message has the last 2,048 bytes of the log.
    print(f"{UNPRINTABLE} cannot open the price list" + 1_500 * "x", file=sys.stderr, flush=True)
    sys.exit(3)
if MODE == "crash":
    print("cannot open the price list", file=sys.stderr, flush=True)
    sys.exit(3)
if MODE == "slow":
    time.sleep(AFTER)
if MODE == "leave":
    sys.exit(0)
if MODE == "crash-later":
    time.sleep(AFTER)
    print("lost the price list", file=sys.stderr, flush=True)
    sys.exit(4)
if MODE == "crash-when-ready":

    def crash():
        time.sleep(float(os.environ.get("AFTER", "4")))
        if once := os.environ.get("ONCE"):  # a file that outlives the container
            if Path(once).exists():
                return
            Path(once).touch()
        print("lost the price list", file=sys.stderr, flush=True)
        os._exit(4)

    threading.Thread(target=crash).start()
if MODE == "greedy":
    hoard = [bytearray(8 << 20) for _ in range(1000)]
server = ThreadingHTTPServer((HOST, PORT), Handler)
if MODE == "tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/code/tls.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"serving on {HOST or '0.0.0.0'}:{PORT}", flush=True)
server.serve_forever()
