from __future__ import annotations

import json

import pytest
from manifest_engine.domain.image import packages


def sbom(*components: dict) -> bytes:
    """As syft writes CycloneDX 1.6, shortened.

    Source: https://github.com/anchore/syft/blob/main/syft/format/cyclonedxjson
    """
    return json.dumps({"bomFormat": "CycloneDX", "components": components}).encode()


def part(name: str, version: str, kind: str = "pypi") -> dict:
    purl = f"pkg:{kind}/{name}@{version}"
    return {"type": "library", "name": name, "version": version, "purl": purl}


def test_the_packages_are_named_with_their_type():
    system = {"type": "operating-system", "name": "debian", "version": "12"}
    found = packages.packages(sbom(part("flask", "3.0.0"), part("zlib1g", "1.3", "deb"), system))
    assert found == {"pypi/flask": "3.0.0", "deb/zlib1g": "1.3"}


def test_a_package_in_two_versions_is_one_row():
    found = packages.packages(sbom(part("pip", "24.0"), part("pip", "23.1")))
    assert found == {"pypi/pip": "23.1, 24.0"}


@pytest.mark.parametrize("text", [b"<html>", b"[]", b'{"components": 1}'])
def test_another_document_is_refused(text):
    with pytest.raises(ValueError, match=r"Expecting value|not a CycloneDX document"):
        packages.packages(text)


def test_the_difference_has_what_was_added_removed_and_changed():
    old, new = {"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}
    assert packages.difference(old, new) == [
        {"field": "a", "from": "1", "to": None},
        {"field": "b", "from": "1", "to": "2"},
        {"field": "d", "from": None, "to": "1"},
    ]
