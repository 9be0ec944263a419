"""A release has everything that later steps need, and survives XCom."""

import json
from datetime import UTC, datetime

import pytest
from manifest_engine.domain.core.errors import ManifestError, StateError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release

from tests.unit.domain.release.releases import make_release

ENVIRONMENT = environments.load(environments.INCLUDE / "environments.yaml")["dev"]


def planned(login_server: str = "team.azurecr.io", **changes: object) -> release.Release:
    asked = {"component": "pricing", "serviceName": "quote", "version": "1.0", "environment": "dev"}
    return release.plan(
        manifest.parse(asked | changes),
        ENVIRONMENT,
        login_server=login_server,
        run_id="run-1",
        requested_at=datetime(2026, 1, 2, tzinfo=UTC),
        requested_by="ann",
    )


def test_names_derive_from_the_manifest():
    made = planned()
    assert made.name == "pricing-quote"
    assert made.image == "team.azurecr.io/datafactory/pricing/quote:1.0"
    assert made.cache_image == "team.azurecr.io/datafactory/pricing/quote:cache"
    assert made.image_at("sha256:1") == "team.azurecr.io/datafactory/pricing/quote@sha256:1"
    assert made.artifact == "datafactory/pricing/quote/1.0/quote-1.0.zip"
    assert made.url == "https://dev.example.com/datafactory/pricing/quote"


def test_an_artifact_in_the_manifest_overrides_the_convention():
    assert planned(artifact="other/x.zip").artifact == "other/x.zip"


def test_a_release_survives_a_json_round_trip():
    made = planned(env={"A": "1"}, autoscale={"minReplicas": 1, "maxReplicas": 3})
    assert release.load(json.loads(json.dumps(made.dump()))) == made


def test_an_image_reference_longer_than_clients_accept_is_refused():
    with pytest.raises(ManifestError, match="many clients take 255"):
        planned(login_server="r" * 240 + ".io")


def test_a_missing_release_is_an_error_that_names_the_task_to_clear():
    with pytest.raises(StateError, match="clear validate"):
        release.load(None)


def test_an_internal_release_has_the_url_of_its_kubernetes_service():
    release = make_release(internal=True)
    assert release.url == "http://pricing-quotes.apps.svc"
    assert release.reach == "internal, inside the cluster at http://pricing-quotes.apps.svc"
    assert make_release().reach == f"public at {make_release().url}"
