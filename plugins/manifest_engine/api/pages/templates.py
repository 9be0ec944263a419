"""Renders the templates. All values are escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from manifest_engine import __version__
from manifest_engine.domain.record import deployment
from manifest_engine.domain.workload import service_log

MOUNT = "/ui"
"""Where the API's app mounts the pages."""
PREFIX = "/manifest-engine"
"""Where Airflow mounts the API's app."""

STEP_TITLES = {
    "validate": "Check the manifest",
    "download_artifact": "Download the ZIP",
    "build_image": "Build the image",
    "push_image": "Push the image",
    "approve": "Approval",
    "smoke_test": "Smoke test",
    "apply_deployment": "Roll out",
    "publish_route": "Publish the URL",
    "watch_release": "Watch the release",
    "record_release": "Record the release",
    "describe_image": "Describe the image",
}
"""Title of each step."""
TONES = {
    **dict.fromkeys(("live", "succeeded", "rebuilt"), "good"),
    **dict.fromkeys(("failed", "rolled back", "degraded"), "bad"),
    **dict.fromkeys(("running", "retrying", "rolling out", "removing"), "busy"),
    "waiting for approval": "asks",
}
"""Colour of each state; other states are grey."""
_SIGNS = {"good": "✓", "bad": "✕", "busy": "●", "asks": "?", "idle": "○"}


def render(
    request: Request, name: str, facts: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a template.

    :param facts: values for the template.
    """
    root = request.scope.get("root_path", "")
    places = {
        "root": root,
        "api": f"{root.removesuffix(MOUNT)}/api/v1",
        "airflow": airflow_root(request),
        "version": __version__,
        "now": datetime.now(UTC),
    }
    return HTMLResponse(_environment().get_template(name).render({**places, **facts}), status)


def airflow_root(request: Request) -> str:
    """Path of Airflow's pages, without a slash at the end; usually empty."""
    root = str(request.scope.get("root_path", ""))
    return root.removesuffix(MOUNT).removesuffix(PREFIX)


def is_part(request: Request) -> bool:
    """Whether htmx requests a part of a page."""
    return "hx-request" in request.headers


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": ago,
        "moment": moment,
        "seconds": seconds,
        "since": since,
        "tone": tone,
        "sign": lambda state: _SIGNS[tone(state)],
        "step": lambda name: STEP_TITLES.get(name, name.replace("_", " ")),
        "markdown": markdown,
        "inline_markdown": inline_markdown,
        "digest": short_digest,
        "quoted": quoted,
        "brief": brief,
        "metadata_last": metadata_last,
        "json": lambda value, **more: json.dumps(value, ensure_ascii=False, **more),
    }
    made.globals["ended"] = deployment.ENDED
    return made


def tone(state: str | None) -> str:
    """The colour of a state."""
    return TONES.get(state or "", "idle")


def moment(text: str | None) -> str:
    """A time in UTC: ``2026-11-27 08:30 UTC``."""
    return _parse(text).strftime("%Y-%m-%d %H:%M UTC") if text else ""


def ago(text: str | None, now: datetime) -> str:
    """The age of a time in its largest unit, such as ``3 h ago``."""
    if not text:
        return ""
    past = max(0, int((now - _parse(text)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if past >= size:
            return f"{past // size} {unit} ago"
    return "just now" if past < 10 else f"{past} s ago"


def since(text: str | None, now: datetime) -> float | None:
    """The seconds since a time."""
    return max(0.0, (now - _parse(text)).total_seconds()) if text else None


def seconds(value: float | None) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def short_digest(digest: str | None) -> str:
    """The first 12 digits of an image's digest."""
    return (digest or "").removeprefix("sha256:")[:12]


def quoted(error: str) -> tuple[str, str]:
    """Split an error into its first sentence and the quoted lines after a colon."""
    said, end, lines = error.partition(":\n")
    return (said + end.rstrip(), lines) if end else (error, "")


def brief(error: str) -> str:
    """The sentence of an error without the lines that it quotes, for a table."""
    return error.partition(service_log.QUOTE)[0].partition("\n")[0]


def metadata_last(fields: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The changed fields of an object without its labels and annotations, and these."""
    found: tuple[list[Any], list[Any]] = ([], [])
    for field in fields:
        path = str(field["field"]).removeprefix("spec.template.")
        found[path.startswith("metadata.")].append(field)
    return found


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML in the text is escaped."""
    return Markup(_markdown().render(text))  # noqa: S704


def inline_markdown(text: str) -> Markup:
    """One line of Markdown as HTML without a paragraph."""
    return Markup(_markdown().renderInline(text))  # noqa: S704


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)
