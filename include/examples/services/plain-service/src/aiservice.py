"""A service without a Dockerfile, built by the standard Dockerfile."""

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
@app.get("/health")
def health():
    return jsonify(status="ok", service="plain-service")
