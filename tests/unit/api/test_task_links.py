"""Links from Airflow's page of a task."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import BaseOperator
from manifest_engine.api import task_links
from manifest_engine.api.task_links import DeploymentLink, ServiceLink

KEY = SimpleNamespace(run_id="manual__2026-01-02T03:04:05+00:00")


def of(module: str) -> set[tuple[str, str]]:
    """Module and name of each operator of a DAG."""
    from airflow.dag_processing.dagbag import DagBag

    (dag,) = DagBag(f"dags/{module}.py", bundle_name="dags").dags.values()
    return {(type(task).__module__, type(task).__name__) for task in dag.tasks}


@pytest.mark.parametrize(
    "dag", ["deploy_service", "rollback_service", "restart_service", "remove_service"]
)
def test_every_step_has_the_link(dag):
    linked = {(item.__module__, item.__name__) for item in DeploymentLink.operators}
    assert of(dag) <= linked


def test_each_name_belongs_to_an_operator():
    import importlib

    for item in [*DeploymentLink.operators, *ServiceLink.operators]:
        found = getattr(importlib.import_module(item.__module__), item.__name__)
        assert issubclass(found, BaseOperator)
    assert len(task_links.STEPS) == len(set(task_links.STEPS))


def test_the_link_leads_to_the_page_inside_airflow(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://host.example.com/airflow")
    assert DeploymentLink().get_link(None, ti_key=KEY) == (
        "/airflow/plugin/services/airflow/manifest-engine/ui/deployments/"
        "manual__2026-01-02T03%3A04%3A05%2B00%3A00"
    )


def test_the_service_is_linked_once_the_service_answers(run):
    key = SimpleNamespace(run_id="api__1")
    assert ServiceLink().get_link(None, ti_key=key) == ""
    url = "https://dev.example.com/datafactory/pricing/quotes"
    run("api__1", "success", {("publish_route", "return_value"): {"url": url}})
    assert ServiceLink().get_link(None, ti_key=key) == url
