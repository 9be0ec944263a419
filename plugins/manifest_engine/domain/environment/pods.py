"""How the pods of an environment run: placement, labels, defaults and privileges."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.amounts import DEFAULTS, Resources

_KEY = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_CAPABILITY = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = ("app.kubernetes.io/", "manifest-engine.io/")
_TEMPLATE_HASH = "pod-template-hash"
"""The label by which a Deployment's controller tells its ReplicaSets apart."""
ANNOTATIONS_MAX = 64 * 1024
"""Bytes of all annotations. Kubernetes accepts 256 KiB on one object; the smoke pod also carries
the files of the manifest."""


def labels(given: dict[str, str]) -> dict[str, str]:
    """Check labels of pods.

    :raises ValueError: for a text that is no label, and for a label that a selector of ours uses.
    """
    for key, value in given.items():
        _require_key(key, "label")
        if not _VALUE.fullmatch(value):
            raise ValueError(
                f"{key}: {value[:80]!r} is not the value of a label: letters, digits, '.', '_' and "
                "'-', beginning and ending with a letter or digit, at most 63 characters"
            )
    return given


def _annotations(given: dict[str, str]) -> dict[str, str]:
    for key in given:
        _require_key(key, "annotation")
    if sum(len(key) + len(value.encode()) for key, value in given.items()) > ANNOTATIONS_MAX:
        raise ValueError(f"the annotations take more than {ANNOTATIONS_MAX} bytes")
    return given


def _require_key(key: str, kind: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is not the key of a Kubernetes {kind}")
    if key.startswith(_OURS) or key == _TEMPLATE_HASH:
        raise ValueError(f"the {kind} {key!r} is set by Manifest Engine or by Kubernetes")


def variables(given: dict[str, str]) -> dict[str, str]:
    """Check names of environment variables.

    :raises ValueError: naming the first invalid name.
    """
    for name in given:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a valid name of an environment variable (letters, digits and "
                "'_', not beginning with a digit)"
            )
    return given


def _capability(name: str) -> str:
    if name == "ALL" or name.startswith("CAP_") or not _CAPABILITY.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is not one Linux capability without the prefix CAP_, such as "
            "NET_BIND_SERVICE"
        )
    return name


Labels = Annotated[dict[str, str], AfterValidator(labels)]
Variables = Annotated[dict[str, str], AfterValidator(variables)]
Capability = Annotated[str, AfterValidator(_capability)]
"""A Linux capability, such as ``NET_BIND_SERVICE``."""
TopologyKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$")]


class Toleration(Model):
    """:source: core/v1 Toleration."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Toleration:
        if self.operator == "Equal" and not self.key:
            raise ValueError("the operator Equal, the default, needs a key")
        if self.operator == "Exists" and self.value:
            raise ValueError("the operator Exists has no value; use Equal")
        return self


class Pods(Model):
    """Settings of all pods in the environment, also of the smoke test's pods."""

    tolerations: tuple[Toleration, ...] = ()
    topology_spread: tuple[TopologyKey, ...] = (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    )
    labels: Labels = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] = Field(
        default_factory=dict
    )
    priority_class: str | None = None
    env: Variables = Field(default_factory=dict)
    resources: Resources = Resources()
    allow_root: bool = True
    allowed_capabilities: tuple[Capability, ...] = ()

    @model_validator(mode="after")
    def _defaults_fit(self) -> Pods:
        if problem := self.resources.over(DEFAULTS).problem():
            raise ValueError(
                f"resources: {problem}, with the defaults of Manifest Engine; give both"
            )
        return self
