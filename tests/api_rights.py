"""Every route of the API and the pages, with the least role that may use it.

The roles are those of Airflow's simple auth manager: a ``viewer`` reads, a ``user`` starts runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

NOBODY, VIEWER, USER, SIGNED = "nobody", "viewer", "user", "signature"
"""The least role for a route. ``SIGNED`` stands for a route without a login, whose requests must be
signed."""
_SERVICE = "/api/v1/services/{component}/{serviceName}"
_PAGE = "/ui/services/{component}/{service}"
_RUN = "/api/v1/deployments/{run_id}"
NEEDED = {
    "GET /api/openapi.json": NOBODY,
    "POST /api/v1/deployments": USER,
    f"GET {_RUN}": VIEWER,
    f"GET {_RUN}/events": VIEWER,
    f"GET {_RUN}/logs/{{step}}": VIEWER,
    f"POST {_RUN}/cancel": USER,
    f"POST {_RUN}/approve": USER,
    f"POST {_RUN}/reject": USER,
    "GET /api/v1/services": VIEWER,
    f"GET {_SERVICE}": VIEWER,
    f"GET {_SERVICE}/deployments": VIEWER,
    f"GET {_SERVICE}/differences": VIEWER,
    f"POST {_SERVICE}/rollback": USER,
    f"POST {_SERVICE}/restart": USER,
    f"DELETE {_SERVICE}": USER,
    "GET /api/v1/manifest/schema": VIEWER,
    "POST /api/v1/manifest/validate": VIEWER,
    "GET /api/v1/environments": VIEWER,
    "GET /api/v1/artifacts": USER,
    "POST /api/v1/webhooks/artifactory": SIGNED,
    "GET /ui/": VIEWER,
    "GET /ui/table": VIEWER,
    f"GET {_PAGE}": VIEWER,
    f"GET {_PAGE}/live": VIEWER,
    f"GET {_PAGE}/pods": VIEWER,
    f"GET {_PAGE}/history": VIEWER,
    f"GET {_PAGE}/difference": VIEWER,
    "GET /ui/overview": VIEWER,
    "GET /ui/audit": VIEWER,
    "GET /ui/audit.{kind}": VIEWER,
    "GET /ui/deploy": USER,
    "GET /ui/deploy/versions": USER,
    "POST /ui/deploy/fill": USER,
    "POST /ui/deploy/check": VIEWER,
    "GET /ui/previews/{run_id}": VIEWER,
    "GET /ui/deployments/{run_id}": VIEWER,
    "GET /ui/deployments/{run_id}/state": VIEWER,
    "GET /ui/deployments/{run_id}/log": VIEWER,
}


def walk(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Method, path and route of all routes, including mounted apps, without static files."""
    for route in routes:
        if isinstance(route, Mount):
            if not isinstance(route.app, StaticFiles):
                yield from walk(route.routes, prefix + route.path)
        else:
            for method in sorted(route.methods - {"HEAD"}):
                yield method, prefix + route.path, route
