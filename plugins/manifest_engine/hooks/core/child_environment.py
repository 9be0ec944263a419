"""The environment of every program that a worker starts.

The environment of a worker holds Airflow's secrets and Connections. A program that reads untrusted
content, such as a Dockerfile or an image, receives only the variables in :data:`ALLOWED` and those
that its caller sets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
ALLOWED = frozenset(
    {
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *_PROXIES,
        *(name.lower() for name in _PROXIES),
    }
)


def clean(
    variables: Mapping[str, str] | None = None, *, inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The allowed variables of the worker's environment, updated by ``variables``.

    :param inherited: the worker's environment; by default that of this process.
    """
    inherited = os.environ if inherited is None else inherited
    kept = {name: inherited[name] for name in ALLOWED & inherited.keys()}
    return {**kept, **(variables or {})}
