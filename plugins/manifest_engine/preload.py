"""Imports what steps need, before there are any: ``import manifest_engine.preload``.

For ``airflow_local_settings.py`` of the component that runs tasks: a Celery worker, or the
scheduler of a LocalExecutor. It forks a child per task, and what it has imported before costs
nothing after. It then keeps the code that it started with: restart it after an update.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

from manifest_engine import hooks, operators, services
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.form import form

_LATE = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.microsoft.azure.fs.adls",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.supervisor",
    "azure.identity",
    "azure.mgmt.containerservice",
    "docker",
    "jinja2.ext",
    "kubernetes.dynamic",
)
"""What Airflow and our modules import only when a task needs it."""

for _package in (hooks, services, operators):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)
for _name in _LATE:
    importlib.import_module(_name)

with contextlib.suppress(ConfigurationError):  # whoever looks at the DAGs is told
    form.form_fields(environments.load())  # both are kept, the file until it changes
