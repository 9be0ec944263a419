"""A conf that is too large is refused before anything else, and the sentence names the field."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest, run_conf
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.domain.release import rollback
from manifest_engine.domain.removal import removal

NAMED = {"component": "pricing", "serviceName": "quotes", "environment": "dev"}
ASKED = NAMED | {"version": "1.0"}
CPU_SECONDS = 5.0
"""Far more than linear work on a few megabytes takes, far less than quadratic work does."""


def _nightly(conf: dict[str, Any]) -> Any:
    return rebuild_form.parse(conf, environments.load())


PARSERS: list[Callable[[dict[str, Any]], Any]] = [
    manifest.parse,
    rollback.parse,
    removal.parse,
    _nightly,
]


def of_size(size: int) -> dict[str, Any]:
    """A legal conf of exactly so many bytes as JSON."""
    conf = ASKED | {"env": {"TEXT": ""}}
    conf["env"] = {"TEXT": "x" * (size - len(json.dumps(conf, separators=(",", ":"))))}
    return conf


def refusal(parse: Callable[[dict[str, Any]], Any], conf: dict[str, Any]) -> str:
    before = time.process_time()
    with pytest.raises(ManifestError) as caught:
        parse(conf)
    assert time.process_time() - before < CPU_SECONDS
    assert not caught.value.retryable
    return str(caught.value)


def test_a_conf_of_64_kib_is_taken_and_one_byte_more_is_not():
    assert manifest.parse(of_size(64 * 1024)).env["TEXT"].startswith("xx")
    said = refusal(manifest.parse, of_size(64 * 1024 + 1))
    assert "has 65537 bytes as JSON; at most 65536 are allowed" in said
    assert "The largest field is env.TEXT with" in said


def test_bytes_are_counted_not_characters():
    assert "has 120" in refusal(manifest.parse, ASKED | {"notes": "é" * 60_000})


def test_a_rebuild_has_room_for_what_its_plan_adds():
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
        ("env", {f"K{at}": "v" for at in range(50_000)}),
        ("env", {"k" * 1_000_000: "v"}),
        ("smokeTest", list(range(100_000))),
    ],
    ids=["text", "name", "surrogates", "key", "keys", "long-key", "list"],
)
def test_whatever_is_too_large_is_refused_in_a_short_sentence(parse, field, value):
    said = refusal(parse, NAMED | {field: value})
    assert "at most" in said
    assert len(said) < 600
    said.encode()


@pytest.mark.parametrize("parse", PARSERS)
def test_a_conf_that_is_nested_too_deeply_is_refused(parse):
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    said = refusal(parse, NAMED | {"notes": deep})
    while deep:  # else the interpreter frees it recursively
        deep = deep.pop("a")
    assert "nested too deeply" in said


def test_a_variable_that_no_process_can_start_with_is_named_with_linuxs_limit():
    said = refusal(manifest.parse, ASKED | {"env": {"BIG_CONFIG": "x" * 140_000}})
    assert "env.BIG_CONFIG takes 140011 bytes" in said
    assert "Linux takes at most 131071 bytes for one environment variable" in said


def test_linux_takes_just_so_much():
    def start(size: int) -> None:
        env = {**os.environ, "BIG": "x" * (size - len("BIG="))}
        subprocess.run([sys.executable, "-Sc", ""], env=env, check=True)

    start(run_conf.VARIABLE_MAX_BYTES)
    with pytest.raises(OSError, match="Argument list too long"):
        start(run_conf.VARIABLE_MAX_BYTES + 1)


@pytest.mark.parametrize("parse", PARSERS)
def test_of_thousands_of_problems_a_few_are_told_and_the_rest_is_counted(parse):
    said = refusal(parse, {f"key-{at}": 1 for at in range(3_000)})
    assert "more problems" in said
    assert len(said) < 4_000


@pytest.mark.parametrize("field", ["component", "serviceName", "version", "environment", "port"])
def test_a_long_value_is_repeated_in_part(field):
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
def test_a_character_that_cannot_be_stored_is_refused_and_its_field_named(parse, given, place):
    said = refusal(parse, ASKED | given)
    assert said.startswith(f"{place} has the character U+")
    assert "can be neither stored nor shown; remove it." in said
    assert said.isprintable()


def test_a_conf_may_have_what_people_write():
    text = "Grüße 👩‍🔬, שלום\u200f\r\n\tline two"
    asked = manifest.parse(ASKED | {"notes": text, "env": {"TEXT": text}})
    assert asked.notes == asked.env["TEXT"] == text
