"""Which of the deployed services are to be rebuilt: decided from what the cluster has on record.

Nothing here asks anybody: one list of Deployments per environment and the present digest of each
base image decide, so that a service that has not changed costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from manifest_engine.domain.approval.approval import rebuild_asks
from manifest_engine.domain.build import recipe
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.manifest.sections import Rebuild
from manifest_engine.domain.rebuild.deployed import Deployed, unpinned_bases
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, UNCHANGED, Row

APPROVALS = 8
"""Rebuilds of one run that wait for a person, who answers them one by one."""
_SHOWN = len("sha256:") + 12


@dataclass(frozen=True)
class Planned:
    """A service to rebuild: why, and the conf of its ``deploy_service``."""

    row: Row
    conf: dict[str, Any]
    asks: bool = False
    """Whether its environment wants a person to let it go on."""


def decide(
    service: Deployed,
    current: Mapping[str, Current],
    standard: bytes,
    *,
    force: bool,
    approval: Approval | None = None,
) -> Planned | Row:
    """Whether the service is to be rebuilt, and why.

    :param current: by normalized reference.
    :param standard: the text of the standard Dockerfile.
    :param approval: what its environment asks for.
    """
    name, environment = _name(service), service.manifest.environment
    for base in unpinned_bases(service.built_from):
        # Else it would be built on what a builder once pulled, and count as renewed.
        if problem := current[base].problem:
            return Row(name, environment, FAILED, problem)
    reason = "Asked for, without cache." if force else _reason(service, current, standard)
    if reason is None:
        return Row(name, environment, UNCHANGED)
    left = service.rolled_back_from
    if left and not force and _reason(replace(service, built_from=left), current, standard) is None:
        text = (
            "Somebody rolled it back from an image on the present base images; it is rebuilt when "
            "one of them changes again, or by force."
        )
        return Row(name, environment, SKIPPED, text)
    pins = {base: pin for base in service.bases if (pin := current[base].pin)}
    rebuild = Rebuild.model_validate(
        {
            "releaseHash": service.release_hash,
            "digest": service.digest,
            "artifactSha256": service.artifact_sha256,
            "bases": pins,
            "noCache": force,
        }
    )
    conf = {**service.recorded, "rebuild": rebuild.model_dump(mode="json", by_alias=True)}
    row = Row(name, environment, sentence=reason)
    return Planned(row, conf, asks=rebuild_asks(approval, rebuild))


def limit_to_one_run(planned: list[Planned], most: int) -> tuple[list[Planned], list[Row]]:
    """Those that one run can take on, and rows of those that wait for the next one.

    :param most: Airflow's ``[core] max_map_length``.
    """
    text = (
        f"One run takes on {most} services ([core] max_map_length of Airflow); another run about "
        "its component or service comes to it."
    )
    return planned[:most], _skipped(planned[most:], text)


def limit_approvals(planned: list[Planned]) -> tuple[list[Planned], list[Row]]:
    """Those that one run can begin, the ones that wait for a person last, and rows of the rest."""
    asking = [item for item in planned if item.asks]
    text = (
        f"Its environment asks for approvals, and {APPROVALS} others are asked for first; the next "
        "run comes to it. exemptRebuilds in environments.yaml lets rebuilds pass."
    )
    begun = [item for item in planned if not item.asks] + asking[:APPROVALS]
    return begun, _skipped(asking[APPROVALS:], text)


def _skipped(items: list[Planned], text: str) -> list[Row]:
    return [Row(item.row.service, item.row.environment, SKIPPED, text) for item in items]


def distinct_bases(services: Iterable[Deployed]) -> list[str]:
    """Each base image once."""
    return sorted({base for service in services for base in service.bases})


def _reason(service: Deployed, current: Mapping[str, Current], standard: bytes) -> str | None:
    record = service.built_from
    if record is None:
        return "It is not on record what its image was built from."
    if record.standard and record.dockerfile != hashlib.sha256(standard).hexdigest():
        return "The standard Dockerfile has changed."
    if record.args != recipe.build_args(service.manifest):
        return "The build arguments have changed."
    for base in unpinned_bases(record):
        now, then = current[base], record.bases[base]
        if not now.problem and then not in now.digests:
            new = now.pin or min(now.digests)
            return f"{base} has changed: {then[:_SHOWN]} is {new[:_SHOWN]} now."
    return None


def _name(service: Deployed) -> str:
    return f"{service.manifest.component}-{service.manifest.service_name}"
