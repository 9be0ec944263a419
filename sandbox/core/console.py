"""Progress lines with the name of the part and the time since the start."""

from __future__ import annotations

import sys
import threading
import time

_BEGIN = time.monotonic()
_LOCK = threading.Lock()


def say(who: str, text: str) -> None:
    """Print one line to stderr: ``[ 12s] engine       ready at …``."""
    with _LOCK:
        print(f"[{time.monotonic() - _BEGIN:4.0f}s] {who:<14} {text}", file=sys.stderr, flush=True)
