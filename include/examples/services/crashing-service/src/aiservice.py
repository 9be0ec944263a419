"""A service that crashes at start because its configuration is missing."""

import os

from flask import Flask

app = Flask(__name__)
DATABASE = os.environ["DATABASE_URL"]  # not set: KeyError, and the process ends
