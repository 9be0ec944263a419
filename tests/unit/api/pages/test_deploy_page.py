from __future__ import annotations

import html
import json
import re

from tests.unit.api.pages.test_services_page import deploy, live

FORM = {"component": "pricing", "serviceName": "quotes", "version": "1", "environment": "dev"}


def bodies(text: str) -> list[dict]:
    """The manifests that the buttons send."""
    found = re.findall(r'data-body="([^"]*)"', text)
    return [json.loads(html.unescape(item)) for item in found]


def test_the_form_has_help_and_the_environments_of_the_user(see):
    text = see("/deploy")
    assert 'name="serviceName"' in text
    assert "The port on which the service listens." in text
    assert '<option value="dev"' in text


def test_the_form_begins_with_the_live_release(see, cluster):
    manifest = FORM | {"env": {"LEVEL": "<info>"}, "notes": "old", "port": 9000}
    deploy(cluster, live("dev", "1", manifest=manifest))
    text = see("/deploy?component=pricing&serviceName=quotes&environment=dev&version=2")
    assert "the live release in dev" in text
    assert 'name="version" aria-describedby="h-version" required value="2"' in text
    assert 'name="env#value" value="&lt;info&gt;"' in text
    assert 'value="9000"' in text
    assert ">old<" not in text


def test_a_failed_deployment_can_be_changed(see, run):
    run("api__1", "failed", conf={"replicas": 7}, validate="failed")
    text = see("/deploy?from=api__1")
    assert "an earlier deployment" in text
    assert 'value="7"' in text


def test_a_right_form_offers_its_manifest(browser):
    text = browser.post(
        "/ui/deploy/check", data=FORM | {"port": "9000", "route.stripPrefix": "true"}
    ).text
    dry, real = bodies(text)
    assert dry == real | {"dryRun": True}
    assert (real["port"], real["version"]) == (9000, "1")


def test_a_wrong_form_offers_no_button(browser):
    text = browser.post("/ui/deploy/check", data=FORM | {"port": "0"}).text
    assert 'data-pointer="/port"' in text
    assert "<button" not in text


def test_empty_inputs_of_a_new_form_are_not_errors(browser):
    text = browser.post("/ui/deploy/check", data={"component": "pricing"}).text
    assert "Still to fill in: serviceName, version, environment." in text
    assert "problems" not in text


def test_a_pasted_manifest_fills_in_the_form_and_is_checked(browser):
    pasted = json.dumps(FORM | {"port": 9000, "prot": 1})
    text = browser.post("/ui/deploy/fill", data={"manifest": pasted}).text
    assert 'value="9000"' in text
    assert "did you mean &#39;port&#39;?" in text


def test_pasted_text_that_is_not_json_stays_in_the_box(browser):
    text = browser.post("/ui/deploy/fill", data={"manifest": "{<b>"}).text
    assert "This is not JSON" in text
    assert "{&lt;b&gt;</textarea>" in text
    assert "An object" not in text
    assert (
        "A manifest must be an object"
        in browser.post("/ui/deploy/fill", data={"manifest": "[]"}).text
    )


def test_the_result_of_a_dry_run_offers_to_deploy_the_same_manifest(see, run):
    run("api__1", "running", conf={"dryRun": True}, validate="running")
    assert 'hx-get="/ui/previews/api__1"' in see("/previews/api__1")
    run(
        "api__2",
        "success",
        {("validate", "dry_run"): []},
        conf={"dryRun": True},
        validate="success",
    )
    text = see("/previews/api__2")
    assert "Nothing would change." in text
    assert bodies(text) == [FORM]
    assert "hx-trigger" not in text
