"""A double of Artifactory, and hooks on Connections to it."""

import json

import pytest
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook

from tests.unit.hooks.artifactory.artifactory_double import TOKEN, artifactory
from tests.unit.hooks.artifactory.reading import CONTENT


@pytest.fixture
def server():
    with artifactory(CONTENT) as double:
        yield double


@pytest.fixture
def connect(monkeypatch, server):
    """Creates a hook for a Connection with these fields, which records its waits."""

    def make(**fields):
        given = {"conn_type": "artifactory", "host": server.url, "password": TOKEN} | fields
        monkeypatch.setenv("AIRFLOW_CONN_ARTIFACTORY_DEFAULT", json.dumps(given))
        hook = ArtifactoryHook()
        hook.waits = []
        hook.client.sleep = hook.waits.append
        return hook

    return make


@pytest.fixture
def hook(connect):
    return connect()
