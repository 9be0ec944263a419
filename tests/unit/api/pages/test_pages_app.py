"""Login, headers and errors of all pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from manifest_engine.api import app, pages
from manifest_engine.api.pages import deployment_page, templates
from starlette.exceptions import HTTPException

from tests.unit.api.conftest import pages_of

FOLDER = Path(pages.__file__).parent


def test_a_visitor_without_a_login_goes_to_airflows_login_page(whole):
    pages_of(whole).dependency_overrides.clear()
    visitor = TestClient(whole, follow_redirects=False)
    answer = visitor.get("/ui/deployments/api__1?a=b")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "/api/v2/auth/login?next=%2Fui%2Fdeployments%2Fapi__1%3Fa%3Db"
    )
    part = visitor.get("/ui/deployments/api__1/state", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-refresh"]) == (401, "true")


def test_every_page_needs_a_permission():
    open_to_all = [
        route.path
        for route in pages_of(app.create()).routes
        if hasattr(route, "dependencies") and not route.dependencies
    ]
    assert open_to_all == []


def test_a_forbidden_page_names_the_reason(whole, browser):
    def refuse():
        raise HTTPException(403, "Forbidden")

    pages_of(whole).dependency_overrides[airflow_may_read()] = refuse
    answer = browser.get("/ui/deployments/api__1")
    assert answer.status_code == 403
    assert "Airflow does not allow you to see this page." in answer.text


def airflow_may_read():
    (route,) = [item for item in deployment_page.router.routes if item.name == "page"]
    return route.dependencies[0].dependency


def test_scripts_come_only_from_this_server(browser):
    answer = browser.get("/ui/deployments/none")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"


def test_an_unexpected_error_shows_no_internals(browser, monkeypatch):
    def broken(_: str):
        raise RuntimeError("secret of the database")

    monkeypatch.setattr(deployment_page, "_facts", broken)
    answer = browser.get("/ui/deployments/api__1")
    assert answer.status_code == 500
    assert "An unexpected error" in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "file", sorted(FOLDER.glob("templates/*.html")), ids=lambda file: file.name
)
def test_templates_comply_with_the_content_security_policy(file):
    text = file.read_text()
    for refused in ("style=", "onclick", "hx-on", "<style", "javascript:", "//cdn"):
        assert refused not in text


def test_static_files_are_served(browser):
    for name in ("pages.css", "pages.js", "theme.js", "htmx.min.js"):
        assert browser.get(f"/ui/static/{name}").status_code == 200


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.42, "0.4 s"), (12.4, "12 s"), (185, "3 min 5 s"), (7815, "2 h 10 min"), (None, "")],
)
def test_a_duration_is_short(value, text):
    assert templates.seconds(value) == text


def test_markdown_shows_html_as_text():
    made = templates.markdown("`<b>` <script>x</script> [x](javascript:alert(1))")
    assert "<script" not in made
    assert "href" not in made


def test_no_element_inherits_the_target_of_another(see):
    assert '"disableInheritance": true' in see("/deploy")
