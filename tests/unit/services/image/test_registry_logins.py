"""A build gets the logins of the registries that its Dockerfile names."""

from __future__ import annotations

import json

import pytest
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment.builds import Build
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.services.image import registry_logins

IMAGES = {"python:3.11", "team.example.com/base/x:1", "other.example.org/y"}


@pytest.fixture
def logins(monkeypatch):
    def of(host, connection=None, images=IMAGES):
        if connection:
            monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps(connection))
        listed = [{"host": host, "connection": "team"}]
        return registry_logins.of(
            Build.model_validate({"registries": listed}, strict=False), images
        )

    return of


@pytest.mark.parametrize("kind", ["docker", "http", "generic"])
def test_the_login_is_given_for_the_host_that_the_dockerfile_names(logins, kind):
    connection = {"conn_type": kind, "login": "ada", "password": "hunter2"}
    assert logins("*.example.com", connection) == {"team.example.com": Login("ada", "hunter2")}
    assert logins("docker.io", connection) == {"docker.io": Login("ada", "hunter2")}


def test_a_login_that_the_build_does_not_need_is_not_read(logins):
    assert logins("unused.example.com") == {}


def test_a_missing_connection_is_named(logins):
    with pytest.raises(ConfigurationError, match=r"build\.registries .* Connection 'team', which"):
        logins("team.example.com")


@pytest.mark.parametrize("fields", [{"login": "ada"}, {"password": "x"}])
def test_a_connection_without_a_login_is_named(logins, fields):
    with pytest.raises(ConfigurationError, match="lacks a login or a password"):
        logins("team.example.com", {"conn_type": "docker", **fields})


def test_a_token_of_one_azure_registry_does_not_reach_another_host(logins):
    connection = {"conn_type": "acr", "host": "team.azurecr.io", "login": "a", "password": "b"}
    with pytest.raises(ConfigurationError, match=r"but the Connection's host is team\.azurecr\.io"):
        logins("team.example.com", connection)
