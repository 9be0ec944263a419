"""Kubernetes quantities, and the requests and limits of a container."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from manifest_engine.domain.core.model import Model

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_EXPONENTS = {"": 0, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity (``100m``, ``1.5``, ``256Mi``) as a number of cores or bytes.

    The grammar is that of k8s.io/apimachinery ``resource.Quantity``, without exponents.

    :raises ValueError: when the text is not a quantity.
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a Kubernetes quantity such as 100m, 1 or 256Mi")
    suffix = found[2] or ""
    base = 1024 if suffix.endswith("i") else 1000
    exponent = _EXPONENTS[suffix.removesuffix("i").replace("K", "k")]
    return Decimal(found[1]) * Decimal(base) ** exponent


def _quantity(text: str) -> str:
    quantity(text)
    return text


Quantity = Annotated[str, AfterValidator(_quantity)]


class Amounts(Model):
    """Kubernetes quantities of one container. Without a value, the default holds."""

    cpu: Quantity | None = Field(None, description="CPU, e.g. `100m` or `1`.")
    memory: Quantity | None = Field(None, description="Memory, e.g. `256Mi`.")

    def over(self, defaults: Amounts) -> Amounts:
        """These values, and the defaults for those that are not given."""
        return Amounts(cpu=self.cpu or defaults.cpu, memory=self.memory or defaults.memory)


class Resources(Model):
    """Requests and limits of the container. A value that is not given comes from `pods.resources`
    of the environment, else from these defaults: requests of `50m` CPU and `128Mi` memory, limits
    of `1` CPU and `512Mi` memory. A request must not exceed its limit."""

    requests: Amounts | None = Field(None, description='E.g. `{"cpu": "200m"}`.')
    limits: Amounts | None = Field(None, description='E.g. `{"cpu": "2", "memory": "1Gi"}`.')

    @model_validator(mode="after")
    def _requests_fit(self) -> Resources:
        if problem := self.problem():
            raise ValueError(f"{problem}; lower the request or raise the limit")
        return self

    def problem(self) -> str:
        """A request above its limit; empty if there is none."""
        for kind in ("cpu", "memory"):
            request, limit = getattr(self.requests, kind, None), getattr(self.limits, kind, None)
            if request and limit and quantity(request) > quantity(limit):
                return f"requests.{kind} {request} is more than limits.{kind} {limit}"
        return ""

    def over(self, defaults: Resources) -> Resources:
        """These values, and the defaults for those that are not given.

        The result is not validated: a given request may exceed a default limit.
        """
        none = Amounts()
        return Resources.model_construct(
            requests=(self.requests or none).over(defaults.requests or none),
            limits=(self.limits or none).over(defaults.limits or none),
        )


DEFAULTS = Resources(
    requests=Amounts(cpu="50m", memory="128Mi"), limits=Amounts(cpu="1", memory="512Mi")
)
"""For the values that neither the manifest nor the environment gives."""
