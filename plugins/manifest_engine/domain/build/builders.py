"""Which of several builders builds a service.

Rendezvous hashing (highest random weight, Thaler and Ravishankar 1996): a service keeps its
builder, and with it its warm cache; a builder that goes away moves its own services alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def ranked(service: str, builders: Iterable[str]) -> list[str]:
    """The builders in the order in which they are tried for this service.

    :param service: ``{component}/{serviceName}``.
    :param builders: connection ids, in any order; each counts once.
    """
    return sorted(set(builders), key=lambda builder: _weight(service, builder), reverse=True)


def _weight(service: str, builder: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{service}\0{builder}".encode()).digest(), builder
