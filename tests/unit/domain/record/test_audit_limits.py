"""The scheduler makes audit entries, so an entry is small and fast for any run conf."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from manifest_engine.domain.record import audit

from tests import cpu_time

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CPU_SECONDS = 0.05
"""CPU time that an entry may take in the scheduler."""
ASKED = {"component": "pricing", "serviceName": "quotes", "version": "1.0", "environment": "dev"}


def _deep(depth: int) -> Any:
    """JSON as deep as Python's parser accepts."""
    made: Any = "x"
    for _ in range(depth):
        made = {"a": [made]}
    return made


HOSTILE: dict[str, dict[str, Any]] = {
    "long text": {"notes": "x" * 8_000_000},
    "a word that may be a secret's name": {"notes": "token" * 1_000_000},
    "logins in a URL": {"notes": "https://" + "a@" * 2_000_000},
    "many URLs": {"env": {"A": "x://@ " * 1_000_000}},
    "many pairs": {"env": {f"A{at}": "sig=1&" * 20_000 for at in range(50)}},
    "spaces": {"notes": " \n\t" * 2_000_000},
    "terminal escapes": {"notes": "\x1b[31m" * 1_000_000, "owner": "\x1b]8;;" * 1_000_000},
    "nothing printable": {"notes": "\x00\ud800\u202e" * 1_000_000},
    "wide characters": {"notes": "\U0001f600" * 1_000_000, "owner": '"\\' * 1_000_000},
    "one long key": {"k" * 8_000_000: "v"},
    "many keys": {f"key-{at}": "v" for at in range(100_000)},
    "many variables": {"env": {f"PASS_{at}": "v" * 90 for at in range(50_000)}},
    "long names": {"env": {f"{at}" + "A" * 100_000: "v" for at in range(50)}},
    "secret references": {"secretEnv": {f"A{at}": "a." * 20_000 for at in range(100)}},
    "a long list": {"smokeTest": list(range(200_000))},
    "lists of lists": {"resources": [[[[[[{}] * 9] * 9] * 9] * 9] * 9] * 9},
    "deep": {"notes": _deep(400), "env": _deep(400), "rebuild": _deep(400)},
    "long identity": dict.fromkeys(ASKED, "\U0001f600" * 500_000),
    "numbers": {"port": 10**4000, "replicas": float("nan"), "env": {"A": float("inf")}},
    "a rebuild": {"rebuild": {"bases": {f"b{at}": "x" * 90 for at in range(50_000)}}},
}


def entry(conf: dict[str, Any], sentence: Any = "It answers 500.", user: str = "ada") -> str:
    """The entry as the listener writes it."""
    xcoms = {("validate", "error"): sentence}
    run = audit.Run("deploy_service", "run-1", "failed", conf, "ui", user, NOW, NOW, NOW)
    taken = []
    for _ in range(3):  # the fastest counts, since other processes add CPU time
        with cpu_time.measured() as once:
            made = audit.entry(run, xcoms, failed="validate")
            text = json.dumps(made, ensure_ascii=False, allow_nan=False)
        taken.append(once.seconds)
    assert min(taken) < CPU_SECONDS
    assert len(text.encode()) < audit.ENTRY_MAX
    return text


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_entry_is_small_valid_and_fast_for_any_conf(kind):
    made = json.loads(entry(ASKED | HOSTILE[kind]))
    assert made["manifest"]["component"]
    assert made["sentence"] == "It answers 500."


@pytest.mark.parametrize("text", ["x" * 5_000_000, "\U0001f600" * 5_000_000, "pass=" * 1_000_000])
def test_an_entry_with_every_part_at_its_limit_fits(text):
    made = entry(dict.fromkeys([*ASKED, "notes", "owner"], text), sentence=text, user=text)
    assert json.loads(made)["failedStep"] == "validate"


def test_a_manifest_of_ordinary_size_is_not_shortened():
    asked = ASKED | {
        "env": {f"VARIABLE_{at}": "a value of some length" for at in range(60)},
        "notes": "First line.\n" * 30,
    }
    assert json.loads(entry(asked))["manifest"] == asked


def test_a_sentence_with_log_lines_is_not_shortened():
    sentence = "It ended with 1. Its last lines:\n" + "a line of its log\n" * 200
    assert json.loads(entry(ASKED, sentence))["sentence"] == sentence


def test_a_shortened_manifest_says_so():
    made = json.loads(entry(ASKED | {"notes": "x" * 600, **{f"k{at:02}": 1 for at in range(15)}}))
    assert made["manifest"]["notes"] == "x" * 500 + "…"
    assert made["manifest"]["…"] == "5 more"
    many = json.loads(entry(ASKED | {"env": {f"V{at:04}": "x" * 20 for at in range(1_000)}}))
    shown = many["manifest"]["env"]
    assert shown["…"] == f"{1_000 - (len(shown) - 1)} more"


def test_a_shortened_secret_is_still_redacted():
    begin = "y" * 480
    asked = {
        "notes": f"{begin} https://me:hunter2{'z' * 500}@host",
        "owner": f"{begin} password=hunter2{'z' * 500}",
        "env": {"A" * 100 + "_PASSWORD": "hunter2"},
        "secretEnv": {"A": "a/hunter2" + "z" * 600},
    }
    assert "hunter2" not in entry(ASKED | asked)
