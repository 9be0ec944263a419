"""The question to an approver."""

from __future__ import annotations

import pytest
from manifest_engine.domain.approval import question as approval_question
from manifest_engine.domain.dry_run.difference import Change, FieldChange
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.workload import resources

from tests.unit.domain.approval.test_approval import OLD, asking, guarded
from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release
from tests.unit.domain.removal.removals import make_removal

IMAGE = "spec.template.spec.containers[app].image"
BODY_MAX = 32 * 1024


def live(**fields):
    return resources.workload(make_release(**fields), OLD, ARTIFACT)[0]


def body(release, live=None, changes=(), problem=""):
    return approval_question.deploy_body(release, DIGEST, live, changes, problem)


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_body_shows_version_digest_and_each_changed_field_and_no_other():
    new = guarded(version="1.1", replicas=3, env={"LEVEL": "debug", "MODE": "a"}, notes="Faster.")
    text = body(new, live(env={"MODE": "a"}))
    assert rows(text) == [
        "| | live | after |",
        "| version | `1.0` | `1.1` |",
        f"| image digest | `{OLD}` | `{DIGEST}` |",
        "| `env.LEVEL` | (none) | `debug` |",
        "| `replicas` | `2` | `3` |",
    ]
    assert "Asked for by `ada`. Nothing of the image has run" in text
    assert "```\nFaster.\n```" in text


def test_the_body_says_when_no_other_field_of_the_manifest_changes():
    assert "No other field" in body(guarded(version="1.1"), live())


def test_the_body_of_a_first_release_says_so():
    assert "first release" in body(guarded())


def test_the_body_says_who_may_not_approve():
    four_eyes = guarded(Approval(selfApproval=False))
    assert "Asked for by `ada`, who may not approve it." in body(four_eyes)


def test_the_body_shows_what_the_dry_run_would_change_in_the_cluster():
    mine = FieldChange("metadata.annotations[manifest-engine.io/digest]", '"a"', '"b"')
    changes = [
        Change("Deployment", "pricing-quotes", "change", (mine, FieldChange(IMAGE, "1", "2"))),
        Change("HorizontalPodAutoscaler", "pricing-quotes", "remove"),
    ]
    text = body(guarded(), live(), changes)
    assert "- `Deployment pricing-quotes` would change" in text
    assert "- `HorizontalPodAutoscaler pricing-quotes` would be removed" in text
    assert rows(text)[-2:] == [
        "| object | field | live | after |",
        f"| `Deployment` | `{IMAGE}` | `1` | `2` |",
    ]


def test_a_failed_dry_run_is_reported():
    text = body(guarded(), problem="The path is taken by `x`.")
    assert "likely to fail as well:\n\n```\nThe path is taken by `x`.\n```" in text


def test_a_changed_secret_is_shown_without_its_value():
    old = live(env={"DB_PASSWORD": "old", "URL": "https://me:old@host/"})
    new = guarded(env={"DB_PASSWORD": "new", "URL": "https://me:new@host/"})
    field = FieldChange("spec.template.spec.containers[app].env[DB_PASSWORD].value", "old", "new")
    text = body(new, old, [Change("Deployment", "pricing-quotes", "change", (field,))])
    assert "| `env.DB_PASSWORD` | `***` | `***` |" in text
    assert "| `env.URL` | `https://***@host/` | `https://***@host/` |" in text
    assert "old" not in text
    assert "new" not in text


def test_foreign_text_is_escaped_in_markdown():
    evil = "x`|\n| y | ![z](http://example.com/z.png)"
    text = body(guarded(env={"A": evil}, notes=f"```\n{evil}"), live(), problem=evil)
    assert "| `env.A` | (none) | `x'\\| \\| y \\| ![z](http://example.com/z.png)` |" in text
    assert f"````\n```\n{evil}\n````" in text


def test_the_body_is_bounded():
    many = {f"{'N' * 200}{number}": "`" * 500 for number in range(300)}
    new = guarded(notes="n" * 4_000)
    new = new.model_copy(update={"manifest": new.manifest.model_copy(update={"env": many})})
    fields = tuple(FieldChange("f" * 300, "b" * 300, "a" * 300) for _ in range(500))
    changes = [Change("Deployment", "pricing-quotes", "change", fields)]
    text = body(new, live(), changes, "p" * 100_000)
    assert len(text) < BODY_MAX
    assert "260 more fields of the manifest change." in text
    assert "460 more fields change." in text


def test_the_subject_is_the_question():
    rollback = guarded().model_copy(update={"rollback": True})
    assert approval_question.deploy_subject(guarded()) == "Deploy pricing-quotes 1.0 to dev?"
    assert approval_question.deploy_subject(rollback) == "Roll pricing-quotes in dev back to 1.0?"


@pytest.fixture
def removal():
    return asking(make_removal(), Approval(selfApproval=False))


def test_a_removal_shows_the_live_release_its_pods_and_each_object(removal):
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        {"metadata": {"name": "pricing-quotes-a"}, "status": ready},
        {"metadata": {"name": "pricing-quotes-b"}, "status": {}},
    ]
    objects = ["HTTPRoute pricing-quotes", "Deployment pricing-quotes"]
    text = approval_question.removal_body(removal, live(), pods, objects)
    assert approval_question.removal_subject(removal) == "Remove pricing-quotes from dev?"
    assert "Asked for by `ada`, who may not approve it." in text
    assert f"| live release | `1.0`, `{OLD}` |" in text
    assert "| pods | 1 of 2 ready: `pricing-quotes-a`, `pricing-quotes-b` |" in text
    assert "| public at | https://dev.example.com/datafactory/pricing/quotes |" in text
    assert "- `HTTPRoute pricing-quotes`\n- `Deployment pricing-quotes`" in text


def test_the_removal_of_a_missing_service_says_so(removal):
    text = approval_question.removal_body(removal, None, [], [])
    assert "pricing-quotes is not deployed there." in text
    assert "No object would be removed." in text


def test_a_removal_names_a_few_of_many_pods(removal):
    pods = [{"metadata": {"name": f"p-{number}"}} for number in range(500)]
    text = approval_question.removal_body(removal, live(), pods, [])
    assert "0 of 500 ready" in text
    assert "490 more" in text


def test_the_questions_say_that_a_service_is_or_becomes_internal(removal):
    inside = "internal, inside the cluster at http://pricing-quotes.apps.svc"
    assert f"first release, {inside}" in body(guarded(internal=True))
    text = body(guarded(internal=True), live())
    assert "| `internal` | `false` | `true` |" in rows(text)
    assert inside[1:] in text
    text = approval_question.removal_body(removal, live(internal=True), [], [])
    assert "| public at | nowhere (internal) |" in text
