"""The sample service: health, an echo of the request, links behind a prefix."""

import logging.config
import os
from pathlib import Path

from flask import Flask, jsonify, render_template_string, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

import internal_utils

logging.config.fileConfig(Path(__file__).with_name("loop_log.ini"), disable_existing_loggers=False)
log = logging.getLogger("quote-service")

app = Flask(__name__)
# The gateway strips /datafactory/{component}/{serviceName} and sends it as X-Forwarded-Prefix.
# x_prefix=1 makes url_for add the prefix; without it, links lead outside of the route.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

QUOTE = "A ship in harbor is safe, but that is not what ships are built for."

PAGE = """<!doctype html>
<title>Quotes</title>
<h1>Quotes</h1>
<blockquote>{{ quote }}</blockquote>
<p><a href="{{ url_for('echo') }}">What this service sees</a> · <a href="{{ url_for('health') }}">Health</a></p>
"""


@app.get("/")
def index():
    return render_template_string(PAGE, quote=QUOTE)


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.get("/echo")
def echo():
    log.info("echo asked by %s", request.remote_addr)
    return jsonify(
        path=request.path,
        prefix=request.script_root,
        link=url_for("index"),
        environment=os.environ.get("ENVIRONMENT"),
        quote=QUOTE,
        utils=internal_utils.__version__,
    )
