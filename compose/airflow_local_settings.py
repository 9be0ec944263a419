"""Airflow reads this when it starts: a worker forks a child per task, and what it has imported
before costs nothing after."""

import importlib
import sys

_SLOW = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.cncf.kubernetes.operators.pod",
    "airflow.providers.microsoft.azure.fs.adls",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk.execution_time.supervisor",
    "azure.identity",
    "azure.mgmt.containerservice",
    "docker",
    "kubernetes.dynamic",
)

if "celery" in sys.argv:
    for name in _SLOW:
        importlib.import_module(name)
