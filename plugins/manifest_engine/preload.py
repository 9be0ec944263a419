"""Imports the modules of all steps in advance: ``import manifest_engine.preload``.

Import this module in ``airflow_local_settings.py`` of the component that runs tasks: a Celery
worker, or the scheduler of a LocalExecutor. The component forks a child per task, and modules that
the parent imported cost the child nothing. Restart the component after an update of the package.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import warnings

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
"""Modules that Airflow and this package import only when a task needs them."""

for _package in (hooks, services, operators):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)
for _name in _LATE:
    importlib.import_module(_name)

# Airflow 3.3 uses a class that pathspec 1.0 deprecates, so each task's log would begin with a
# warning. The filter must follow the imports, which set Airflow's own filters.
warnings.filterwarnings(
    "ignore",
    message="GitWildMatchPattern",
    category=DeprecationWarning,
    module=r"airflow\.sdk\._shared\.module_loading",
)

with contextlib.suppress(ConfigurationError):  # the DAG processor reports the error
    form.form_fields(environments.load())  # caches both; the file until it changes
