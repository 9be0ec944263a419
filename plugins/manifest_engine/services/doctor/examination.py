"""Runs checks within a time limit, the parts of the installation in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.doctor.finding import (
    MISSING,
    NOTE,
    OK,
    Finding,
    NotNeeded,
    finding,
)

EACH_SECONDS = 10.0
ALL_SECONDS = 60.0


class Check(NamedTuple):
    """One check of a part."""

    name: str
    run: Callable[[], str]
    """Returns the finding as a sentence. Raises NotNeeded for a note, and another error if the
    requirement is not met."""
    gate: bool = False
    """Whether the part's later checks are skipped when this check fails."""


def examine(
    parts: Mapping[str, Sequence[Check]],
    *,
    each_seconds: float = EACH_SECONDS,
    all_seconds: float = ALL_SECONDS,
) -> list[Finding]:
    """Run all checks: the checks of a part in their order, all parts at the same time.

    The threads are daemons, so that a check that never ends does not keep the process alive.

    :param each_seconds: limit of one check.
    :param all_seconds: limit of all checks together.
    """
    end = time.monotonic() + all_seconds
    found: dict[str, list[Finding]] = {part: [] for part in parts}
    threads = [
        threading.Thread(
            target=_examine_part, args=(part, checks, found[part], each_seconds), daemon=True
        )
        for part, checks in parts.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    findings = []
    for part, checks in parts.items():
        done = list(found[part])
        findings += done
        why = "an earlier check of this part failed"
        if all(item.state != MISSING for item in done):
            why = f"the limit of {all_seconds:.0f} s for all checks was reached"
        findings += [
            finding(part, check.name, NOTE, f"Not checked: {why}.") for check in checks[len(done) :]
        ]
    return findings


def _examine_part(
    part: str, checks: Sequence[Check], found: list[Finding], each_seconds: float
) -> None:
    for check in checks:
        result = _run(part, check, each_seconds)
        found.append(result)
        if check.gate and result.state == MISSING:
            return


def _run(part: str, check: Check, seconds: float) -> Finding:
    result: list[Finding] = []
    thread = threading.Thread(target=lambda: result.append(judge(part, check)), daemon=True)
    thread.start()
    thread.join(seconds)
    if result:
        return result[0]
    return finding(
        part,
        check.name,
        MISSING,
        f"No answer within {seconds:.0f} s; check that this machine may reach it: the address in "
        "the Connection, its name in DNS, firewalls, and the proxy.",
    )


def judge(part: str, check: Check) -> Finding:
    """Run one check in this thread, without a time limit."""
    try:
        return finding(part, check.name, OK, check.run())
    except NotNeeded as error:
        return finding(part, check.name, NOTE, error)
    except ManifestEngineError as error:
        return finding(part, check.name, MISSING, error)
    except Exception as error:  # an error of a library is a finding as well
        return finding(part, check.name, MISSING, f"{type(error).__name__}: {error}")
