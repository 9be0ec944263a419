"""A service for the standard Dockerfile. The caller chooses the duration of a request."""

import socket
import time

from flask import Flask, request

app = Flask(__name__)
HOST = socket.gethostname()
"""The name of the pod."""


@app.get("/")
@app.get("/health")
def health():
    return HOST


@app.get("/slow")
def slow():
    time.sleep(float(request.args["seconds"]))
    return HOST


@app.get("/stream")
def stream():
    def events(seconds: int):
        for _ in range(seconds):
            time.sleep(1)
            yield f"data: {HOST}\n\n"

    return app.response_class(events(int(request.args["seconds"])), mimetype="text/event-stream")
