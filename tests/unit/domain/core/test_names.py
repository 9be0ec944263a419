"""Names follow from the manifest."""

from datetime import UTC, datetime

import pytest
from manifest_engine.domain.core import names


def test_every_name_follows_from_the_manifest():
    assert names.object_name("pricing", "quote") == "pricing-quote"
    assert names.repository("pricing", "quote") == "datafactory/pricing/quote"
    assert names.route_path("pricing", "quote") == "/datafactory/pricing/quote"
    assert names.artifact_path("repo", "pricing", "quote", "1.0") == (
        "repo/pricing/quote/1.0/quote-1.0.zip"
    )


def test_a_rebuild_tag_has_the_minute_in_utc_and_optionally_the_second():
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert names.rebuild_tag("1.0", moment) == "1.0-202603040506"
    assert names.rebuild_tag("1.0", moment, seconds=True) == "1.0-20260304050607"


@pytest.mark.parametrize("version", ["1.0-1", "1.0-999", "a-42"])
def test_a_tag_of_continuous_patching_gets_a_warning(version):
    assert "continuous patching" in (names.tag_warning(version) or "")


@pytest.mark.parametrize("version", ["1.0", "1.0-0", "1.0-1000", "1.0-rc1", "1-0.1"])
def test_any_other_tag_gets_no_warning(version):
    assert names.tag_warning(version) is None
