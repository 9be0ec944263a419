"""Kubernetes quantities (``100m``, ``1.5``, ``256Mi``): just enough to check and compare them.

The grammar is that of k8s.io/apimachinery ``resource.Quantity``, without exponents.
"""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_DECIMAL = {"m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def parse(text: str) -> Decimal:
    """The quantity as a number of its unit (cores, bytes). Raises ValueError on another form."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no Kubernetes quantity such as 100m, 1 or 256Mi")
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix.endswith("i"):
        return number * Decimal(1024) ** _DECIMAL[suffix[0] if suffix[0] != "K" else "k"]
    return number * Decimal(1000) ** _DECIMAL.get(suffix, 0)
