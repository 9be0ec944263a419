"""No regular expression of the package takes more than linear time, whatever the text."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import manifest_engine
import pytest
from manifest_engine.domain.core.model import Model
from manifest_engine.hooks.builder import build_causes

from tests import cpu_time
from tests.fuzz import pattern_texts
from tests.unit.hooks.builder.build_cause_examples import EXAMPLES

_ROUNDS = ((2_000, 6), (16_000, 2), (64_000, 1), (1_000_000, 1))
"""Characters, and how many of the slowest texts go into the next round."""
_SECONDS_PER_MILLION = 1.0
"""Of CPU time; a linear expression takes some hundredths, a quadratic one some hours."""
_SECONDS = 0.05
"""Besides: a process that another one interrupts."""


def _modules() -> Iterator[Any]:
    prefix = f"{manifest_engine.__name__}."
    for module in pkgutil.walk_packages(manifest_engine.__path__, prefix):
        if not module.name.endswith("__main__"):
            yield importlib.import_module(module.name)


def _is_from(module: Any, value: type) -> bool:
    return value.__module__ == module.__name__


def _inside(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _inside(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, type):
        if value.__module__.startswith(manifest_engine.__name__):
            yield from _inside([item for key, item in vars(value).items() if key[:2] != "__"])
    elif dataclasses.is_dataclass(value):
        yield from _inside([getattr(value, item.name, None) for item in dataclasses.fields(value)])


def _of_schema(schema: Any) -> Iterator[str]:
    """What pydantic checks in Rust, Airflow's form and API check with Python's ``re``."""
    if isinstance(schema, dict):
        if isinstance(found := schema.get("pattern"), str):
            yield found
        for item in schema.values():
            yield from _of_schema(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _of_schema(item)


def _patterns() -> dict[str, re.Pattern[Any]]:
    """By where each stands, or stands first."""
    found: dict[re.Pattern[Any], str] = {}
    for module in _modules():
        for name, value in vars(module).items():
            place = f"{module.__name__.partition('.')[2]}.{name}"
            for index, pattern in enumerate(_inside(value)):
                found.setdefault(pattern, f"{place}-{index}")
            if isinstance(value, type) and issubclass(value, Model) and _is_from(module, value):
                for index, text in enumerate(_of_schema(value.model_json_schema())):
                    found.setdefault(re.compile(text), f"{place}-{index}")
    return {place: pattern for pattern, place in found.items()}


PATTERNS = _patterns()


def test_the_patterns_are_found():
    names = " ".join(PATTERNS)
    assert len(PATTERNS) > 40
    assert "redaction._" in names
    assert "build_failure._NOT_STARTED" in names
    assert "Manifest-" in names
    assert "Routing-" in names


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_time_is_linear_in_the_text(pattern):
    texts = pattern_texts.texts(pattern)
    for size, slowest in _ROUNDS:
        taken = {text: _seconds(pattern, *text, size) for text in texts}
        texts = sorted(taken, key=lambda text: taken[text])[-slowest:]


def _seconds(pattern: re.Pattern[Any], before: str, unit: str, size: int) -> float:
    text: Any = before + unit * (size // max(len(unit), 1)) + "\x00!"
    if isinstance(pattern.pattern, bytes):
        text = text.encode()
    with cpu_time.measured() as taken:
        pattern.fullmatch(text)
        pattern.sub(text[:0], text)
    seconds = taken.seconds
    assert seconds < _SECONDS + _SECONDS_PER_MILLION * size / 1e6, (
        f"{pattern.pattern!r} takes {seconds:.2f} s for {size} characters: "
        f"{before[:60]!r} and then many {unit[:60]!r}"
    )
    return seconds


@pytest.mark.parametrize(
    ("cause", "example"),
    zip(build_causes.STEPS, EXAMPLES["STEPS"], strict=True),
    ids=[cause.sentence[:40] for cause in build_causes.STEPS],
)
def test_a_cause_of_a_failed_build_is_searched_in_linear_time(cause, example):
    for unit in (example, example[: len(example) // 2]):
        with cpu_time.measured() as taken:
            cause.explain(unit[:-1] * (1_000_000 // len(unit)))
        assert taken.seconds < _SECONDS_PER_MILLION


def test_no_pattern_is_hidden_in_a_function():
    """All that uses ``re`` is compiled where the module begins, so that the test above sees it.

    Patterns of a ``.dockerignore`` and of ``linear_pattern`` are RE2's.
    """
    hidden = []
    for path in Path(manifest_engine.__path__[0]).rglob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        hidden += [
            (path.name, function.name, call.func.attr)
            for function in functions
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "re"
        ]
    assert hidden == []
