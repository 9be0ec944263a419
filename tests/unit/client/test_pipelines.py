"""The example pipelines parse, and call commands and options that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from manifest_engine import __main__

ROOT = Path(__file__).parents[3]
PIPELINES = ROOT / "include/examples/pipelines"
DEPLOY = ("github-actions.yaml", "azure-pipelines.yaml", "Jenkinsfile")


def scripts(name: str) -> list[str]:
    """The shell scripts of an example."""
    text = (PIPELINES / name).read_text()
    if name == "Jenkinsfile":
        assert text.count("{") == text.count("}")
        return text.split("'''")[1::2]
    jobs = yaml.safe_load(text)["jobs"]
    (job,) = jobs.values() if isinstance(jobs, dict) else jobs
    return [found for step in job["steps"] if (found := step.get("run") or step.get("bash"))]


@pytest.mark.parametrize("name", DEPLOY)
def test_the_scripts_are_valid_and_call_the_client(name, monkeypatch):
    called = []
    monkeypatch.setattr("manifest_engine.client.commands.run", called.append)
    for script in scripts(name):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
        for line in script.replace("\\\n", " ").splitlines():
            if "-m manifest_engine" in line:
                words = line.split("-m manifest_engine")[1].rstrip(")")
                __main__.main(shlex.split(words))
    (asked,) = called
    assert (asked.command, asked.manifest) == ("deploy", "manifest.json")
    assert asked.set == ["version=$VERSION"]
    assert asked.idempotency_key


def test_every_example_is_tested_and_documented():
    page = (ROOT / "docs/pipelines.md").read_text()
    assert sorted(DEPLOY) == sorted(file.name for file in PIPELINES.iterdir())
    assert all(f"pipelines/{name}" in page for name in DEPLOY)


@pytest.mark.parametrize("command", ["deploy", "status", "follow", "rollback", "remove"])
def test_the_page_names_every_option(command, capsys):
    with pytest.raises(SystemExit):
        __main__.main([command, "--help"])
    page = (ROOT / "docs/pipelines.md").read_text()
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options
    assert {
        option for option in options if f"{option}`" not in page and f"{option} " not in page
    } == set()
