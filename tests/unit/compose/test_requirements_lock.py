"""The lock file of the image holds what the requirement files ask for, each package with hashes."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sandbox.core.settings import REPOSITORY

LOCK = (REPOSITORY / "compose/requirements.lock").read_text()
LOCKED = {
    canonicalize_name(name): (version, hashes.count("--hash=sha256:"))
    for name, version, hashes in re.findall(
        r"^(\S+?)==(\S+)((?: \\\n +--hash=\S+)*)", LOCK, re.MULTILINE
    )
}


@pytest.mark.parametrize("file", ["requirements.txt", "compose/requirements.txt"])
def test_every_pin_is_locked(file: str) -> None:
    lines = (REPOSITORY / file).read_text().splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            pin = Requirement(line)
            locked, _ = LOCKED[canonicalize_name(pin.name)]
            assert pin.specifier.contains(locked), f"`make lock` is needed for {line}"


def test_no_constraint_differs() -> None:
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        locked, _ = LOCKED.get(canonicalize_name(name), (version, 0))
        assert locked == version, f"`make lock` is needed for {line}"


def test_every_package_has_hashes_and_no_index_is_named() -> None:
    assert len(LOCKED) == LOCK.count("==")
    assert not [name for name, (_, hashes) in LOCKED.items() if not hashes]
    assert "://" not in LOCK


def test_requirements_pin_what_the_wheel_depends_on():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {text.split(">=")[0] for text in project["dependencies"]}
    pinned = (REPOSITORY / "requirements.txt").read_text().splitlines()
    assert named == {line.split("==")[0] for line in pinned if "==" in line}
