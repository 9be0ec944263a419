"""Changes of live objects that no release made, and what a deployment does with them.

The basis is the field ownership of server-side apply, which tells a change by a person or a
controller from a default or from the work of an admission webhook: only the first has an owner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.drift import managed_fields
from manifest_engine.domain.drift.managed_fields import MISSING, Json, Path
from manifest_engine.domain.environment import amounts
from manifest_engine.domain.record import redaction
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.removal.removal import Removal

REPLICAS: Path = ("f:spec", "f:replicas")
_SCALERS = frozenset({"kube-controller-manager", "manifest-engine-autoscale"})
"""Field managers that scale by our autoscaler; the second is of earlier versions."""
_OURS = frozenset({label.MANAGER, "manifest-engine-autoscale"})
_ANNOTATIONS: Path = ("f:metadata", "f:annotations")
_RELEASE_HASH: Path = (*_ANNOTATIONS, f"f:{annotation.RELEASE_HASH}")
_RESTARTED: Path = (
    *("f:spec", "f:template", *_ANNOTATIONS),
    "f:kubectl.kubernetes.io/restartedAt",
)
_VALUE_MAX = 200
"""Maximum characters of one value."""
_SHOWN = 8
"""Maximum number of changes in one sentence."""


@dataclass(frozen=True)
class ByHand:
    """A field that another field manager set."""

    kind: str
    name: str
    manager: str
    path: Path
    paths: frozenset[Path]
    """The field and the fields in it that the field manager owns."""
    live: Any
    planned: Any
    """The value in the release; :data:`MISSING` if the release does not set the field."""
    agreed: bool
    """Whether an overwrite loses no change by hand: the value is still that of the last release, or
    an autoscaler or the Manifest Engine set it."""

    @property
    def extra(self) -> bool:
        """Whether the release does not set the field, so server-side apply would keep it."""
        return self.planned is MISSING

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, field manager and field."""
        return self.kind, self.manager, self.field

    @cached_property
    def field(self) -> str:
        return managed_fields.text(self.path)

    def __str__(self) -> str:
        release = "the release does not set it"
        if not self.extra:
            release = f"the release sets {self._text(self.planned)}"
        return (
            f"{self.manager!r} set {self.field} of {self.kind} {self.name!r} to "
            f"{self._text(self.live)}; {release}"
        )

    def _text(self, value: Any) -> str:
        """The value as JSON, without a possible secret in an environment variable."""
        if isinstance(value, dict) and "name" in value and "value" in value:
            value = value | {"value": _hidden(value["name"], value["value"])}
        elif "f:env" in self.path[:-1] and isinstance(value, str):
            variable = json.loads(self.path[self.path.index("f:env") + 1][2:])
            value = _hidden(variable["name"], value)
        return printable.excerpt(json.dumps(value, ensure_ascii=False), _VALUE_MAX)


@dataclass(frozen=True)
class Policy:
    """What a deployment does with changes by hand."""

    drift: str = "takeBack"
    """``takeBack``, ``refuse`` or ``report``: for fields of a Deployment that no release sets."""
    everything: bool = False
    """Take over each field that the release sets."""
    named: frozenset[tuple[str, str, str]] = frozenset()
    """Fields to take over, by :attr:`ByHand.key`."""

    @classmethod
    def of(cls, planned: Release | Removal) -> Policy:
        """The policy of a run. A nightly rebuild reverts nothing, because nobody would notice."""
        cluster = planned.environment.cluster
        release = planned if isinstance(planned, Release) else None
        unattended = release and release.manifest.rebuild and cluster.drift == "takeBack"
        return cls(
            drift="refuse" if unattended else cluster.drift,
            everything=cluster.force_conflicts,
            named=frozenset(release.taken_over if release else ()),
        )

    def action(self, change: ByHand) -> str:
        """``take``, ``refuse`` or ``leave``."""
        if change.agreed or change.key in self.named:
            return "take"
        if not change.extra:
            return "take" if self.everything else "refuse"
        if self.drift == "report":
            return "leave"
        # A restart by hand changes nothing in what runs.
        taken = self.drift == "takeBack" or self.everything or change.path == _RESTARTED
        return "take" if taken else "refuse"


def find(live: Json, desired: Json, recorded: Json | None) -> list[ByHand]:
    """The fields that other field managers own and that a deployment would change or miss.

    :param live: the live object.
    :param desired: the object of the release.
    :param recorded: the object of the live release, as it was applied.
    """
    entries = managed_fields.entries(live)
    owned = {
        index: set(managed_fields.members(entry.get("fieldsV1") or {}))
        for index, entry in enumerate(entries)
    }
    holders = {
        path[:end] for paths in owned.values() for path in paths for end in range(1, len(path))
    }
    found: list[ByHand] = []
    for index, entry in enumerate(entries):
        if entry["manager"] in _OURS:
            continue
        extras: list[Path] = []
        for path in sorted(owned[index]):
            value = managed_fields.value(live, path)
            planned = managed_fields.value(desired, path)
            if value is MISSING or (extras and path[: len(extras[-1])] == extras[-1]):
                continue
            if planned is MISSING:
                if live["kind"] != "Deployment" or path[0] != "f:spec" or path == REPLICAS:
                    continue
                extras.append(path)
            elif path in holders or _same(path, value, planned):
                continue
            before = managed_fields.value(recorded or {}, path)
            ours_by_name = path[:2] == _ANNOTATIONS and path[2][2:].startswith(label.PREFIX)
            scaled = path == REPLICAS and entry["manager"] in _SCALERS
            found.append(
                ByHand(
                    *(live["kind"], live["metadata"]["name"], entry["manager"], path),
                    frozenset(item for item in owned[index] if item[: len(path)] == path),
                    *(value, planned),
                    agreed=ours_by_name or scaled or _same(path, value, before),
                )
            )
    if not any(REPLICAS in paths for paths in owned.values()):
        found += _scaled_to_zero(live, desired, recorded)
    return found


def recorded(live: Mapping[str, Any] | None) -> list[Json]:
    """The objects of the live release as they were applied.

    Empty if another field manager wrote the record: ``kubectl rollout undo`` restores the template
    and the annotations of an earlier release.
    """
    for entry in managed_fields.entries(live) if live else []:
        owned = managed_fields.members(entry.get("fieldsV1") or {})
        if entry["manager"] not in _OURS and _RELEASE_HASH in owned:
            return []
    return annotation.unpack(annotation.read_annotations(live).get(annotation.OBJECTS)) or []


def removed(live: Mapping[str, Any], applied: Mapping[str, Any]) -> list[str]:
    """Fields of the live release that the live object lacks; nobody owns a removed field.

    Values that the API server may leave out (false, 0, empty) are not compared.
    """
    present = {place for place, _ in _leaves(live)}
    return [place for place, value in _leaves(applied) if value and place not in present]


def refusal(changes: Iterable[ByHand]) -> str:
    """The sentence for changes that a deployment does not overwrite."""
    shown = [str(change) for change in changes]
    if more := shown[_SHOWN:]:
        shown = [*shown[:_SHOWN], f"and {len(more)} more fields"]
    return (
        f"Changed by hand since the last deployment: {'. '.join(shown)}. Put the values into the "
        "manifest or undo the changes, or set takeOver: true for one run, which overwrites them."
    )


def _scaled_to_zero(live: Json, desired: Json, recorded: Json | None) -> Iterator[ByHand]:
    """``kubectl scale --replicas=0`` leaves no owner: the subresource ``scale`` omits a zero."""
    before, count, planned = (
        managed_fields.value(item, REPLICAS) for item in (recorded or {}, live, desired)
    )
    if before is not MISSING and planned and planned is not MISSING and before != count == 0:
        metadata = live["metadata"]
        yield ByHand(
            *(live["kind"], metadata["name"], "kubectl scale", REPLICAS, frozenset()),
            *(count, planned),
            agreed=False,
        )


def _same(path: Path, one: Any, other: Any) -> bool:
    if one == other:
        return True
    if "f:resources" in path and isinstance(one, str) and isinstance(other, str):
        with suppress(ValueError):
            return amounts.quantity(one) == amounts.quantity(other)
    return False


def _hidden(name: str, value: Any) -> Any:
    return redaction.redacted({"env": {name: value}})["env"][name]


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            named = item.get("name", index) if isinstance(item, Mapping) else index
            yield from _leaves(item, f"{place}[{named}]")
    else:
        yield place, value
