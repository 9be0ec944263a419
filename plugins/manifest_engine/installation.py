"""Finds the DAG files and ``include/``, and registers a copied package as a provider.

``pip install`` puts the DAG files and ``include/`` inside the package. In a checkout, or in a copy
of its folders, both are beside ``plugins/``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from manifest_engine import __version__

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = (_PACKAGE / "dags").is_dir()
_METADATA = f"Metadata-Version: 2.1\nName: manifest-engine\nVersion: {__version__}\n"
_ENTRY_POINTS = """\
[apache_airflow_provider]
provider_info = manifest_engine.provider:get_provider_info
"""
"""No ``airflow.plugins`` here: Airflow loads the plugin from ``plugins/``."""


def include_folder() -> Path:
    """The folder with the standard Dockerfile, ``environments.yaml`` and the schema."""
    return _beside("include")


def dags_folder() -> Path:
    """The folder with the DAG files."""
    return _beside("dags")


def register() -> Path:
    """Write ``manifest_engine-VERSION.dist-info`` beside the package; its path.

    Airflow looks for providers in the metadata of distributions on ``sys.path``, so PYTHONPATH must
    hold the package's parent folder. The metadata of other versions is removed.

    :raises OSError: when the folder cannot be written, or pip has installed the package.
    """
    if _INSTALLED:
        raise FileExistsError(f"{_PACKAGE} was installed by pip, which registers it; nothing to do")
    for old in _PACKAGE.parent.glob("manifest_engine-*.dist-info"):
        shutil.rmtree(old)
    folder = _PACKAGE.parent / f"manifest_engine-{__version__}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(_METADATA)
    (folder / "entry_points.txt").write_text(_ENTRY_POINTS)
    return folder


def _beside(name: str) -> Path:
    return (_PACKAGE if _INSTALLED else _PACKAGE.parents[1]) / name
