"""A service keeps its builder when another builder is removed."""

from collections import Counter

from manifest_engine.domain.build.builders import ranked

BUILDERS = ["builder-a", "builder-b", "builder-c"]
SERVICES = [f"pricing/service-{number}" for number in range(600)]


def test_the_order_of_configuration_does_not_matter() -> None:
    assert ranked("pricing/quote", BUILDERS) == ranked("pricing/quote", reversed(BUILDERS))


def test_every_builder_is_ranked_once() -> None:
    assert sorted(ranked("pricing/quote", [*BUILDERS, "builder-a"])) == BUILDERS


def test_services_spread_evenly() -> None:
    counts = Counter(ranked(service, BUILDERS)[0] for service in SERVICES)
    assert all(150 < counts[builder] < 250 for builder in BUILDERS)


def test_removing_a_builder_moves_only_its_services() -> None:
    for service in SERVICES:
        before = ranked(service, BUILDERS)
        after = ranked(service, [b for b in BUILDERS if b != "builder-b"])
        assert after == [b for b in before if b != "builder-b"]
