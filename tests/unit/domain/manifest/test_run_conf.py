"""Limits of a conf, checked before all else. The sentence names the field."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest, run_conf
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.domain.release import rollback
from manifest_engine.domain.removal import removal

from tests import cpu_time

NAMED = {"component": "pricing", "serviceName": "quotes", "environment": "dev"}
ASKED = NAMED | {"version": "1.0"}
CPU_SECONDS = 5.0
"""Far more time than linear work on a few megabytes takes, and far less than quadratic work."""


def _nightly(conf: dict[str, Any]) -> Any:
    return rebuild_form.parse(conf, environments.load())


PARSERS: list[Callable[[dict[str, Any]], Any]] = [
    manifest.parse,
    rollback.parse,
    removal.parse,
    _nightly,
]


def of_size(size: int) -> dict[str, Any]:
    """A valid conf of exactly ``size`` bytes as JSON."""
    conf = ASKED | {"env": {"TEXT": ""}}
    conf["env"] = {"TEXT": "x" * (size - len(json.dumps(conf, separators=(",", ":"))))}
    return conf


def refusal(parse: Callable[[dict[str, Any]], Any], conf: dict[str, Any]) -> str:
    with cpu_time.measured() as taken, pytest.raises(ManifestError) as caught:
        parse(conf)
    assert taken.seconds < CPU_SECONDS
    assert not caught.value.retryable
    return str(caught.value)


def test_a_conf_of_64_kib_is_allowed_but_not_one_byte_more():
    assert manifest.parse(of_size(64 * 1024)).env["TEXT"].startswith("xx")
    message = refusal(manifest.parse, of_size(64 * 1024 + 1))
    assert "has 65537 bytes as JSON; at most 65536 are allowed" in message
    assert "The largest field is env.TEXT with" in message


def test_the_limit_counts_bytes_not_characters():
    assert "has 120" in refusal(manifest.parse, ASKED | {"notes": "é" * 60_000})


def test_a_rebuild_has_a_larger_limit():
    conf = of_size(64 * 1024 + 1)
    assert manifest.parse(conf, max_bytes=run_conf.REBUILD_MAX_BYTES)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notes", "x" * 5_000_000),
        ("serviceName", "A" * 1_000_000),
        ("\ud800\x00", "\udfff" * 1_000_000),
        ("k" * 1_000_000, "x"),
        ("env", {f"K{at}": "v" for at in range(10_000)}),
        ("env", {"k" * 1_000_000: "v"}),
        ("smokeTest", list(range(100_000))),
    ],
    ids=["text", "name", "surrogates", "key", "keys", "long-key", "list"],
)
def test_a_value_that_is_too_large_is_refused_in_a_short_sentence(parse, field, value):
    message = refusal(parse, NAMED | {field: value})
    assert "at most" in message
    assert len(message) < 600
    message.encode()


@pytest.mark.parametrize("parse", PARSERS)
def test_a_conf_that_is_nested_too_deeply_is_refused(parse):
    deep: Any = {}
    for _ in range(20_000):
        deep = {"a": deep}
    message = refusal(parse, NAMED | {"notes": deep})
    while deep:  # else the interpreter frees it recursively
        deep = deep.pop("a")
    assert "nested too deeply" in message


def test_a_variable_above_the_limit_of_linux_is_refused():
    message = refusal(manifest.parse, ASKED | {"env": {"BIG_CONFIG": "x" * 140_000}})
    assert "env.BIG_CONFIG takes 140011 bytes" in message
    assert "Linux takes at most 131071 bytes for one environment variable" in message


def test_linux_has_exactly_this_limit():
    def start(size: int) -> None:
        env = {**os.environ, "BIG": "x" * (size - len("BIG="))}
        subprocess.run([sys.executable, "-Sc", ""], env=env, check=True)

    start(run_conf.VARIABLE_MAX_BYTES)
    with pytest.raises(OSError, match="Argument list too long"):
        start(run_conf.VARIABLE_MAX_BYTES + 1)


@pytest.mark.parametrize("parse", PARSERS)
def test_only_a_few_of_many_problems_are_listed(parse):
    message = refusal(parse, {f"key-{at}": 1 for at in range(3_000)})
    assert "more problems" in message
    assert len(message) < 4_000


@pytest.mark.parametrize("field", ["component", "serviceName", "version", "environment", "port"])
def test_a_long_value_is_repeated_only_in_part(field):
    assert len(refusal(manifest.parse, ASKED | {field: "A" * 60_000})) < 1_000


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"notes": "a\0b"}, "notes"),
        ({"env": {"LEVEL": "\ud83d"}}, "env.LEVEL"),
        ({"env": {"COLOUR": "\x1b[31m"}}, "env.COLOUR"),
        ({"smokeTest": {"expectBody": "\u202eko"}}, "smokeTest.expectBody"),
        ({"unknown": [{"deep": ["\x07"]}]}, "unknown.deep"),
        ({"env": {"A\0": "x"}}, "the name env.A\ufffd"),
    ],
)
def test_an_unprintable_character_is_refused_with_its_field(parse, given, place):
    message = refusal(parse, ASKED | given)
    assert message.startswith(f"{place} has the character U+")
    assert "can be neither stored nor shown; remove it." in message
    assert message.isprintable()


def test_a_conf_may_have_line_ends_emoji_and_any_script():
    text = "Grüße 👩‍🔬, שלום\u200f\r\n\tline two"
    asked = manifest.parse(ASKED | {"notes": text, "env": {"TEXT": text}})
    assert asked.notes == asked.env["TEXT"] == text
