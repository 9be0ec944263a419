"""Links and redirects of a service that leave the path of its route."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from manifest_engine.domain.core import names, printable
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.route.public_answer import Answer

PAGES = ("/", "/docs")
"""Pages below the route that are looked at; ``/docs`` is the documentation page of FastAPI."""
_LINK = re.compile(
    r"""\b(?:href|src|action|url)\s{0,8}[=:]\s{0,8}["']([^"'<>\s]{1,500})["']""", re.IGNORECASE
)
"""An attribute of HTML, or ``url: '/openapi.json'`` in the script of a page of FastAPI."""
_FEW = 3


def leaving(url: str, answer: Answer) -> list[str]:
    """The first links and redirects of an answer that leave the route.

    Links to other hosts and to other services of the platform do not count.

    :param url: the URL that gave the answer.
    """
    if answer.status is None or answer.status >= 400:
        return []
    found = []
    if answer.status >= 300:
        found = [answer.headers.get("location", "")]
    elif "html" in answer.headers.get("content-type", ""):
        found = [match[1] for match in _LINK.finditer(answer.body)]
    left = [link for link in dict.fromkeys(found) if link and _leaves(url, link)]
    return [printable.line(link, 100) for link in left[:_FEW]]


def warning(release: Release, url: str, links: list[str]) -> str:
    """A sentence on links that leave the route, with the remedy of each framework."""
    return (
        f"{url} leads to {', '.join(links)}, outside {release.route_path}: there the gateway does "
        "not reach this service. Let the service put the path of the route before its links: Flask "
        "with ProxyFix(app.wsgi_app, x_prefix=1), FastAPI with uvicorn --root-path, Django with "
        "FORCE_SCRIPT_NAME, other services under gunicorn with SCRIPT_NAME and route.stripPrefix "
        "false (docs/services.md)."
    )


def _leaves(url: str, link: str) -> bool:
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, link))
        same_host = there.hostname == here.hostname
    except ValueError:
        return False
    web = there.scheme in ("http", "https")
    return same_host and web and not there.path.startswith(f"{names.ROUTE_PREFIX}/")
