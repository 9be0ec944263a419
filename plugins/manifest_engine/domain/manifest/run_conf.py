"""Reads a run's conf. The limits of size and characters are checked first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from manifest_engine.domain.core import printable, problems
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model

MAX_BYTES = 64 * 1024
"""Size of the conf as compact JSON in UTF-8. Airflow passes the conf to each task of the run."""
REBUILD_MAX_BYTES = MAX_BYTES + 16 * 1024
"""The same limit for a rebuild that a DAG started. Its conf has the recorded manifest with all
defaults, and the base images."""
VARIABLE_MAX_BYTES = 131_071
"""Size of an environment variable as ``NAME=value``. Source: execve(2), MAX_ARG_STRLEN: 32 pages
of 4 KiB, minus one byte for the terminating NUL."""
_KEY_MAX = 80
"""Characters of a key in a sentence."""
Conf = TypeVar("Conf", bound=Model)


def parse(
    model: type[Conf],
    conf: Mapping[str, Any],
    what: str,
    *,
    max_bytes: int = MAX_BYTES,
    missing: tuple[str | None, ...] = (None,),
) -> Conf:
    """Read a run conf.

    :param what: name of the conf in errors, such as ``manifest``.
    :param max_bytes: limit of the conf as compact JSON in UTF-8.
    :param missing: values that count as missing; Airflow's form sends null.
    :raises ManifestError: naming the problems, with the nearest known key or a valid name.
    """
    require_small(conf, max_bytes)
    require_printable(conf)
    given = {key: value for key, value in conf.items() if value not in missing}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = problems.sentences(error, model)
        raise ManifestError(f"The {what} is not valid: {found}.") from None


def require_small(conf: Mapping[str, Any], max_bytes: int = MAX_BYTES) -> None:
    """Refuse a conf that is too large, and an environment variable that Linux does not accept.

    :param max_bytes: limit of the conf as compact JSON in UTF-8.
    :raises ManifestError: naming the largest field, its size and the limit.
    """
    for name, value in _variables(conf):
        size = _bytes(f"{name}=") + _bytes(value)
        if size > VARIABLE_MAX_BYTES:
            shown = printable.excerpt(name, _KEY_MAX)
            raise ManifestError(
                f"env.{shown} takes {size} bytes as NAME=value; Linux takes at most "
                f"{VARIABLE_MAX_BYTES} bytes for one environment variable. Move the value into a "
                "file of the image."
            )
    size = _json_bytes(conf)
    if size > max_bytes:
        raise ManifestError(
            f"The run's conf has {size} bytes as JSON; at most {max_bytes} are allowed. "
            f"{advice(conf)}"
        )


def require_printable(conf: Mapping[str, Any]) -> None:
    """Refuse characters that annotations and XComs cannot store or that logs cannot show.

    :raises ManifestError: naming the field and the character.
    """
    waiting: list[tuple[str, Any]] = [("", conf)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and (char := printable.unprintable(value)):
            raise ManifestError(
                f"{place} has the character {char}, which can be neither stored nor shown; remove "
                "it."
            )
        if isinstance(value, Mapping):
            shown = [printable.excerpt(str(key), _KEY_MAX) for key in value]
            names = [f"{place}.{name}" if place else name for name in shown]
            named = list(zip(names, value, strict=True))
            waiting += [(f"the name {name}", key) for name, key in named]
            waiting += [(name, value[key]) for name, key in named]
        elif isinstance(value, list):
            waiting += [(place, item) for item in value]


def advice(conf: Mapping[str, Any]) -> str:
    """A sentence that names the largest field and another place for its value."""
    field, size = _largest(conf)
    shown = printable.excerpt(field, _KEY_MAX)
    inner = conf[field]
    if isinstance(inner, Mapping) and inner:
        key, size = _largest(inner)
        shown += f".{printable.excerpt(key, _KEY_MAX)}"
    return (
        f"The largest field is {shown} with {size} bytes: move large values into a Secret "
        "(secretEnv) or into the image."
    )


def _variables(conf: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    env = conf.get("env")
    if isinstance(env, Mapping):
        yield from ((name, value) for name, value in env.items() if isinstance(value, str))


def _largest(fields: Mapping[str, Any]) -> tuple[str, int]:
    sizes = {key: _json_bytes(value) for key, value in fields.items()}
    return max(sizes.items(), key=lambda item: item[1] + len(item[0]))


def _json_bytes(value: Any) -> int:
    try:
        return _bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:
        raise ManifestError("The run's conf is nested too deeply; a manifest is flat.") from None


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
