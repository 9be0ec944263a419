"""Patterns of names, in which only `*` is special."""

import pytest
from manifest_engine.domain.environment import patterns

from tests import cpu_time


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("kafka", "kafka"),
        ("kafka-*", "kafka-client"),
        ("kafka-*", "kafka-"),
        ("*", "anything"),
        ("*-tls", "a-tls-tls"),
        ("a*b*c", "aXbXbXc"),
        ("a**b", "ab"),
    ],
)
def test_a_pattern_covers_the_whole_name(pattern, name):
    assert patterns.matches_any([pattern], name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("kafka", "kafka-client"),
        ("kafka-*", "kafka"),
        ("ab*ba", "aba"),
        ("a*b*c", "aXcXb"),
        ("k.fka", "kafka"),
        ("*-tls", "a-tls-x"),
    ],
)
def test_another_name_is_not_covered(pattern, name):
    assert not patterns.matches_any([pattern], name)


def test_the_worst_pattern_takes_milliseconds():
    worst = "a*" * 126 + "b"
    with cpu_time.measured() as taken:
        assert not patterns.matches_any([worst], "a" * 253)
    assert taken.seconds < 0.5
