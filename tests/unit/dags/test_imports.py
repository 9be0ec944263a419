"""A DAG file is parsed again and again, so it loads no library that only a task needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = ("azure", "docker", "kubernetes")
CODE = f"""
import runpy, sys
from pathlib import Path
for file in sorted(Path("dags").glob("*.py")):
    runpy.run_path(str(file))
print("loaded:", *[name for name in {HEAVY} if name in sys.modules])
"""


def test_the_dag_files_load_no_client_of_an_outside_system(tmp_path):
    known = {"PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env={**os.environ, **known},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
