"""Airflow as unit tests see it: a home of its own, no examples; set before anything imports it."""

import gc
import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="manifest-engine-tests-"))
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

gc.disable()  # what is imported and collected stays, and searching it for garbage takes seconds


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
