"""Chooses the builder of a service.

Rendezvous hashing (highest random weight, Thaler and Ravishankar 1996): a service keeps its builder
and the builder's warm cache. Removing a builder moves only the services of that builder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def ranked(service: str, builders: Iterable[str]) -> list[str]:
    """The builders in the order in which to try them for this service.

    :param service: ``{component}/{serviceName}``.
    :param builders: connection ids, in any order; duplicates are ignored.
    """
    return sorted(set(builders), key=lambda builder: _weight(service, builder), reverse=True)


def _weight(service: str, builder: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{service}\0{builder}".encode()).digest(), builder
