"""A service whose requirements cannot be installed."""

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
@app.get("/health")
def health():
    return jsonify(status="ok", service="broken-service")
