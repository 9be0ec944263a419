"""Steps of the DAG, made without a DAG."""

from __future__ import annotations

from typing import Any


def apply_step(release: Any, digest: str, **given: Any) -> Any:
    """The step ``apply_deployment`` of a release, by default with a good verdict.

    :param given: ``verdict`` of the smoke test; None: the task ``smoke_test`` pushed no XCom.
    """
    from manifest_engine.operators.workload.apply_deployment import ApplyDeployment

    good = {
        "digest": digest,
        "runId": release.run_id,
        "asked": "/health",
        "status": 200,
        "ok": True,
        "seconds": 0.1,
    }
    return ApplyDeployment(
        task_id="apply_deployment",
        release=release.dump(),
        artifact={"sha256": "a" * 64},
        push={"digest": digest},
        verdict=given.get("verdict", good),
    )
