"""The environment of every program that a worker starts.

A worker's own environment holds Airflow's secrets and Connections. A program that reads foreign
content, such as a Dockerfile or an image, gets the variables of this list and those that its caller
names.
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
    """The allowed variables of the worker's environment, and ``variables`` over them.

    :param inherited: default: the environment of this process.
    """
    inherited = os.environ if inherited is None else inherited
    kept = {name: inherited[name] for name in ALLOWED & inherited.keys()}
    return {**kept, **(variables or {})}
