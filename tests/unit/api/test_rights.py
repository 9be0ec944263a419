"""Every route asks for a permission of Airflow, and the list of rights knows every route."""

from __future__ import annotations

from manifest_engine.api import airflow_internals, app

from tests.api_rights import NEEDED, NOBODY, SIGNED, walk

ROUTES = list(walk(app.create().routes))
PERMISSIONS = {
    item.dependency for name, item in vars(airflow_internals).items() if name.startswith("MAY_")
}


def test_the_list_of_rights_names_every_route() -> None:
    assert {f"{method} {path}" for method, path, _ in ROUTES} == NEEDED.keys()


def test_every_route_requires_a_permission() -> None:
    for method, path, route in ROUTES:
        if NEEDED[f"{method} {path}"] not in (NOBODY, SIGNED):
            asked = {item.dependency for item in route.dependencies}
            assert asked, path
            assert asked <= PERMISSIONS, path
