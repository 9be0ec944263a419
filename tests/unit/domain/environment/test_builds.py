"""The registries of an environment's base images."""

import pytest
from manifest_engine.domain.environment.builds import Build
from pydantic import ValidationError


def build(*hosts: str) -> Build:
    listed = [{"host": host, "connection": f"of-{host}"} for host in hosts]
    return Build.model_validate({"registries": listed}, strict=False)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("team.example.com", True),
        ("other.example.com", True),
        ("a.b.example.com", False),
        ("example.com", False),
        ("team.example.com.evil.example", False),
        ("evilexample.com", False),
        ("r.example.org:5000", True),
        ("r.example.org", False),
    ],
)
def test_a_login_is_for_the_host_or_for_the_hosts_directly_below_the_domain(
    host: str, covered: bool
) -> None:
    found = build("*.example.com", "r.example.org:5000").registry_of(host)
    assert (found is not None) is covered


def test_the_full_host_comes_before_the_pattern() -> None:
    found = build("*.example.com", "team.example.com").registry_of("team.example.com")
    assert found is not None
    assert found.connection == "of-team.example.com"


@pytest.mark.parametrize("host", ["*.azurecr.io", "*.jfrog.io", "*.dkr.ecr.eu.amazonaws.com"])
def test_a_pattern_for_registries_of_other_organisations_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="would send the login to registries of other"):
        build(host)


@pytest.mark.parametrize("host", ["*", "*.com", "a*.example.com", "https://a.example.com", "a/b"])
def test_other_forms_of_a_host_are_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        build(host)


def test_a_host_has_one_login() -> None:
    with pytest.raises(ValidationError, match=r"two entries for the host 'a\.example\.com'"):
        build("a.example.com", "a.example.com")
