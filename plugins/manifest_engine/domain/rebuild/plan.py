"""Decide which deployed services to rebuild.

The inputs are one list of Deployments per environment and the current digest of each base image, so
an unchanged service costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from manifest_engine.domain.approval.approval import rebuild_needs_approval
from manifest_engine.domain.build import recipe
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.manifest.sections import Rebuild
from manifest_engine.domain.rebuild import soak
from manifest_engine.domain.rebuild.deployed import Deployed, unpinned_bases
from manifest_engine.domain.rebuild.soak import Earlier
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, UNCHANGED, Row

APPROVALS = 8
"""Rebuilds of one run that ask for an approval. A person answers them one by one."""
_DIGEST_SHOWN = len("sha256:") + 12


@dataclass(frozen=True)
class Planned:
    """A service to rebuild, and the conf for its ``deploy_service`` run."""

    row: Row
    conf: dict[str, Any]
    needs_approval: bool = False
    """Whether the environment asks for an approval of the rebuild."""


def decide(
    service: Deployed,
    current: Mapping[str, Current],
    standard: bytes,
    *,
    force: bool,
    insists: bool = False,
    approval: Approval | None = None,
    earlier: Earlier | None = None,
) -> Planned | Row:
    """Decide whether to rebuild a service, and why.

    :param current: current base images by normalized reference.
    :param standard: text of the standard Dockerfile.
    :param force: whether to rebuild an unchanged service, without cache.
    :param insists: whether the opt-out of the service and the earlier environment do not count.
    :param approval: approval settings of the environment.
    :param earlier: the service in the environment that is rebuilt first, if there is one.
    """
    name, environment = _name(service), service.manifest.environment
    if not (service.manifest.nightly_rebuilds or insists):
        return Row(name, environment, SKIPPED, "Its manifest has nightlyRebuilds: false.")
    wait = ""
    if earlier and not insists:
        current, wait = soak.bases(service, current, standard, earlier)
    for base in unpinned_bases(service.provenance):
        # The build would use the copy that the builder pulled earlier, and count as renewed.
        if problem := current[base].problem:
            return Row(name, environment, FAILED, problem)
    reason = "Asked for, without cache." if force else _reason(service, current, standard)
    if reason is None:
        return Row(name, environment, UNCHANGED)
    if wait:
        return Row(name, environment, SKIPPED, wait)
    before_rollback = replace(service, provenance=service.rolled_back_from)
    if (
        service.rolled_back_from
        and not force
        and _reason(before_rollback, current, standard) is None
    ):
        text = (
            "It was rolled back from an image with the current base images; it is rebuilt when a "
            "base image changes again, or with force."
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
    return Planned(row, conf, needs_approval=rebuild_needs_approval(approval, rebuild))


def limit_to_one_run(planned: list[Planned], limit: int) -> tuple[list[Planned], list[Row]]:
    """Split into the rebuilds of this run and the rows of services that wait for the next run.

    :param limit: Airflow's ``[core] max_map_length``.
    """
    text = (
        f"One run rebuilds at most {limit} services ([core] max_map_length of Airflow); start "
        "another run for its component or service."
    )
    return planned[:limit], _skipped(planned[limit:], text)


def limit_approvals(planned: list[Planned]) -> tuple[list[Planned], list[Row]]:
    """Split into the rebuilds of this run, those with an approval last, and rows of the rest."""
    asking = [item for item in planned if item.needs_approval]
    text = (
        f"Its environment asks for approvals, and this run asks for {APPROVALS} others first; the "
        "next run includes it. Set exemptRebuilds in environments.yaml to exempt rebuilds."
    )
    begun = [item for item in planned if not item.needs_approval] + asking[:APPROVALS]
    return begun, _skipped(asking[APPROVALS:], text)


def _skipped(items: list[Planned], text: str) -> list[Row]:
    return [Row(item.row.service, item.row.environment, SKIPPED, text) for item in items]


def distinct_bases(services: Iterable[Deployed]) -> list[str]:
    """The base images of all services, each once."""
    return sorted({base for service in services for base in service.bases})


def _reason(service: Deployed, current: Mapping[str, Current], standard: bytes) -> str | None:
    record = service.provenance
    if record is None:
        return "The provenance of its image is not recorded."
    if record.standard and record.dockerfile != hashlib.sha256(standard).hexdigest():
        return "The standard Dockerfile has changed."
    if record.args != recipe.build_args(service.manifest):
        return "The build arguments have changed."
    for base in unpinned_bases(record):
        now, then = current[base], record.bases[base]
        if not now.problem and then not in now.digests:
            new = now.pin or min(now.digests)
            return f"{base} has changed: {then[:_DIGEST_SHOWN]} is {new[:_DIGEST_SHOWN]} now."
    return None


def _name(service: Deployed) -> str:
    return f"{service.manifest.component}-{service.manifest.service_name}"
