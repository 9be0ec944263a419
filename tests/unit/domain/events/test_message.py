"""A chat message names the service, the environment and the user, and has a link."""

import pytest
from manifest_engine.domain.events import message

from tests.unit.domain.events.runs import LIVE, URL, facts, failed

LINK = "\nhttps://airflow.example.com/dags/deploy_service/runs/api__1"


@pytest.mark.parametrize(
    ("run", "waits", "about"),
    [
        (facts(), False, "live"),
        (facts(dag="rollback_service"), False, "live"),
        (failed(), False, "failed"),
        (failed(outcome="rolled back"), False, "failed"),
        (failed(outcome="superseded"), False, None),
        (failed(note="Cancelled by ada."), False, None),
        (facts("running", ended=None), True, "waiting"),
        (facts(states={}, xcoms={}), False, None),
        (
            facts(xcoms=LIVE | {("apply_deployment", "return_value"): {"changed": False}}),
            False,
            None,
        ),
    ],
)
def test_reasons_for_a_message(run, waits, about):
    assert message.occasion(run, waits=waits) == about


def test_the_texts():
    assert message.text(facts(), "live") == (
        f"pricing-quotes 1.4.0 is live in dev, asked for by ada: {URL}{LINK}"
    )
    assert message.text(failed(), "failed") == (
        "pricing-quotes 1.4.0 failed in dev at smoke_test: The service answered 500 instead of "
        f"200.{LINK}"
    )
    assert message.text(facts("running", ended=None), "waiting") == (
        f"pricing-quotes 1.4.0 waits for approval in dev, asked for by ada.{LINK}"
    )


def test_a_long_error_is_cut():
    run = failed()
    run.xcoms["smoke_test", "error"] = "x" * 100_000  # type: ignore[index]
    assert len(message.text(run, "failed")) < 2000
