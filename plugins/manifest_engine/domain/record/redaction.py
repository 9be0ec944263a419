"""Remove possible secrets from a manifest before it is recorded, and from a service's log."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.manifest.sections import Rebuild

HIDDEN = "***"
_SECRET_NAME = re.compile(r"pass|secret|token|credential|key|auth", re.IGNORECASE)
_SECRET_REFERENCE = re.compile(r"^[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+$")
_URL_WITH_LOGIN = re.compile(r"(?<!\S)((?>\S*?://))\S*@")
"""Matches up to the last @ of a word, since an unquoted password can contain slashes and @."""
_PAIR = re.compile(
    r"(?<!\w)(?=\w*?(?:pass|pwd|secret|token|credential|key|sig))(\w++)=[^;&\s]++", re.IGNORECASE
)
"""Reads each word and each value once, so the time is linear."""
_REBUILD = "rebuild"
_OF_OTHER_RUNS = ("confirm", "version", "force")
"""Fields of rollbacks, removals and nightly rebuilds that a manifest does not have."""


def redacted(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without possible secrets.

    A rejected manifest can contain anything, such as unknown keys, or a secret in place of a
    reference to one.
    """
    known = {field.alias or name for name, field in Manifest.model_fields.items()}
    return {
        _plain(key): _redacted(key, value) if key in known or key in _OF_OTHER_RUNS else HIDDEN
        for key, value in manifest.items()
        if value is not None
    }


def _redacted(key: str, value: Any) -> Any:
    if key == "secretEnv" and isinstance(value, dict):
        return {
            _plain(name): item if _SECRET_REFERENCE.fullmatch(str(item)) else HIDDEN
            for name, item in value.items()
        }
    if key == "env" and isinstance(value, dict):
        return {
            _plain(name): HIDDEN if _SECRET_NAME.search(name) else _plain(item)
            for name, item in value.items()
        }
    if key == "files" and isinstance(value, dict):
        return {_plain(path): _summary(text) for path, text in value.items()}
    if key == _REBUILD:
        known = {field.alias for field in Rebuild.model_fields.values()}
        return value if isinstance(value, dict) and value.keys() <= known else HIDDEN
    return _plain(value)


def _summary(text: Any) -> str:
    """Size and hash of a file: enough to see that it changed."""
    if not isinstance(text, str):
        return HIDDEN
    content = text.encode(errors="surrogatepass")
    return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:12]}…"


def _plain(value: Any) -> Any:
    """Hide logins in URLs, and secrets in ``key=value`` pairs of connection strings and queries."""
    if isinstance(value, dict):
        return {_plain(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, str):
        return value
    return hide_secrets(value)


def hide_secrets(text: str) -> str:
    """A line of a log, without logins in URLs and secrets in ``key=value`` pairs."""
    return _PAIR.sub(rf"\1={HIDDEN}", _URL_WITH_LOGIN.sub(rf"\1{HIDDEN}@", text))
