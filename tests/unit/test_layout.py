"""Where things are: small folders, and DAG files that only wire. Imports: see pyproject.toml."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 12
"""Modules in a folder; a larger one has more than one subject."""


def folders(top: str) -> list[Path]:
    found = (ROOT / top, *(ROOT / top).rglob("*"))
    return [at for at in found if at.is_dir() and at.name != "__pycache__"]


@pytest.mark.parametrize("top", ["plugins/manifest_engine", "sandbox", "tests"])
def test_a_folder_holds_few_modules(top: str) -> None:
    large = {
        str(at.relative_to(ROOT)): count
        for at in folders(top)
        if (count := len([file for file in at.glob("*.py") if file.name != "__init__.py"])) > MOST
    }
    assert not large


def test_a_subject_has_one_name_in_every_layer() -> None:
    """Hooks are named after outside systems, so they are left out."""
    layers = ROOT / "plugins/manifest_engine"
    subjects = {at.parent.name for at in layers.glob("domain/*/__init__.py")}
    for layer in ("services", "operators"):
        others = {at.parent.name for at in layers.glob(f"{layer}/*/__init__.py")}
        assert others <= subjects, f"{layer} has subjects that the domain lacks"


@pytest.mark.parametrize("file", sorted((ROOT / "dags").glob("*.py")), ids=lambda file: file.stem)
def test_a_dag_file_wires_operators_and_reads_the_domain_alone(file: Path) -> None:
    modules = {
        node.module
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    ours = {module for module in modules if module.split(".")[0] == "manifest_engine"}
    assert ours
    assert all(module.split(".")[1] in ("operators", "domain") for module in ours), ours
