"""Links and redirects that leave the route of a service are found."""

import pytest
from manifest_engine.domain.route import prefix
from manifest_engine.domain.route.public_answer import Answer

from tests.unit.domain.release.releases import make_release

RELEASE = make_release()
URL = RELEASE.url + "/"


def page(body, status=200, **headers):
    return Answer(status, body, {"content-type": "text/html; charset=utf-8"} | headers)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('<a href="/login">', ["/login"]),
        ("<script src = '/static/app.js'></script>", ["/static/app.js"]),
        ("SwaggerUIBundle({url: '/openapi.json',", ["/openapi.json"]),
        ('<redoc spec-url="/openapi.json">', ["/openapi.json"]),
        ('<a href="https://dev.example.com/login">', ["https://dev.example.com/login"]),
        (''.join(f'<a href="/{x}">' for x in 'aabcd'), ["/a", "/b", "/c"]),
        ('<a href="/datafactory/pricing/quotes/login">', []),
        ('<a href="/datafactory/pricing/other">', []),
        ('<a href="login"> <a href="#top"> <a href="?page=2">', []),
        ('<a href="https://elsewhere.example/login"> <img src="//cdn.example/a.png">', []),
        ('<a href="mailto:ada@example.com"> <img src="data:image/png;base64,AA==">', []),
        ('<a href="http://[broken"> <a href="">', []),
    ],
)  # fmt: skip
def test_links_of_a_page_that_leave_the_route_are_found(body, found):
    assert prefix.leaving(URL, page(body)) == found


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/login", ["/login"]),
        ("http://dev.example.com/items/", ["http://dev.example.com/items/"]),
        ("/datafactory/pricing/quotes/login", []),
        ("login", []),
        ("https://login.example/authorize", []),
        ("", []),
    ],
)
def test_a_redirect_that_leaves_the_route_is_found(location, found):
    assert prefix.leaving(URL, page("", status=307, location=location)) == found


def test_other_answers_are_not_looked_at():
    link = '<a href="/login">'
    assert prefix.leaving(URL, page(link, status=404)) == []
    assert prefix.leaving(URL, Answer(200, link, {"content-type": "application/json"})) == []
    assert prefix.leaving(URL, Answer(None, problem="refused")) == []


def test_the_warning_names_the_page_the_links_and_the_remedy_of_each_framework():
    said = prefix.warning(RELEASE, URL, ["/login", "/a"])
    assert said.startswith(f"{URL} leads to /login, /a, outside /datafactory/pricing/quotes: ")
    for remedy in ("x_prefix=1", "--root-path", "FORCE_SCRIPT_NAME", "SCRIPT_NAME"):
        assert remedy in said
