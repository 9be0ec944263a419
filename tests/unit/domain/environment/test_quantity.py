"""Kubernetes quantities compare by their value."""

from decimal import Decimal

import pytest
from manifest_engine.domain.environment.amounts import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", Decimal("0.1")),
        ("1", Decimal(1)),
        ("1.5", Decimal("1.5")),
        ("2k", Decimal(2000)),
        ("1Ki", Decimal(1024)),
        ("1.5Gi", Decimal(3 * 2**29)),
        ("3M", Decimal(3_000_000)),
    ],
)
def test_a_quantity_has_a_number(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "1 Gi", "1KB", "-1", "1e3", "Gi", "1mi"])
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity(text)
