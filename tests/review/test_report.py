from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.model.application import Source
from gitops_bot.model.change import FieldChange, TargetChanges
from gitops_bot.model.report import Compared
from gitops_bot.model.target import NotRendered, Target
from gitops_bot.review.report import NO_REASON, Outcome, build_report, outcome_of
from gitops_bot.text.diff_json import encode_report
from tests.review.cases import MERGE, deployment, outcome
from tests.review.strategies import outcomes

COMPARED = Compared(base="1" * 40, head="")


@given(outcomes())
def test_counts_add_up_over_changes_times_targets(found):
    report = build_report(found, compared=COMPARED)
    handed_in = Counter(change.bucket for one in found if one.changes for change in one.changes.changes)
    told = Counter[str]()
    for change in report.changes:
        told[change.bucket] += len(change.targets)
    counts = report.counts
    assert told == handed_in
    assert [counts.added, counts.changed, counts.removed, counts.noise, counts.ignored] == [
        handed_in[bucket] for bucket in ("added", "changed", "removed", "noise", "ignored")
    ]
    assert counts.unchanged == sum(one.changes.unchanged for one in found if one.changes)


@given(outcomes())
def test_every_target_is_rendered_or_unaffected_or_failed_or_skipped(found):
    counts = build_report(found, compared=COMPARED).counts
    assert counts.targets == len(found)
    assert counts.targets == counts.rendered + counts.unaffected + counts.failed + counts.skipped
    assert counts.rendered == sum(one.changes is not None for one in found)


@given(outcomes())
def test_grouping_loses_no_change_of_no_target(found):
    report = build_report(found, compared=COMPARED)
    told = {
        (id_, change.group, change.kind, change.namespace, change.name, change.bucket, change.diff, change.hook)
        for change in report.changes
        for id_ in change.targets
    }
    assert told == {
        (one.id, *change.key, change.bucket, change.diff, change.hook)
        for one in found
        if one.changes
        for change in one.changes.changes
    }


@given(outcomes(), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    reasons = [NotRendered(id=name, reason="x") for name in ("b", "a")]
    tools = {"kustomize": "2", "helm": "1"}
    one = build_report(found, compared=COMPARED, not_rendered=reasons, tools=tools)
    other = build_report(
        shuffled, compared=COMPARED, not_rendered=reasons[::-1], tools=dict(reversed(list(tools.items())))
    )
    assert encode_report(one) == encode_report(other)


def test_a_change_that_is_the_same_in_two_targets_is_told_once():
    report = build_report([outcome("b", deployment("x")), outcome("a", deployment("x"))], compared=MERGE)
    assert [change.targets for change in report.changes] == [
        ("argocd/a/application.yaml#a", "argocd/b/application.yaml#b")
    ]
    assert report.counts.changed == 2


def test_values_of_another_type_are_another_change():

    def with_after(value):
        return msgspec.structs.replace(deployment("x"), fields=(FieldChange(path="a", before=0, after=value),))

    found = [outcome(f"t{index}", with_after(value)) for index, value in enumerate([1, 1.0, True, "1", [1], {"a": 1}])]
    assert len(build_report(found, compared=MERGE).changes) == len(found)


def test_key_order_of_a_value_is_no_other_change():

    def with_after(value):
        return msgspec.structs.replace(deployment("x"), fields=(FieldChange(path="a", before=0, after=value),))

    found = [outcome("t1", with_after({"a": 1, "b": 2})), outcome("t2", with_after({"b": 2, "a": 1}))]
    assert len(build_report(found, compared=MERGE).changes) == 1
    assert encode_report(build_report(found, compared=MERGE)) == encode_report(
        build_report(found[::-1], compared=MERGE)
    )


def test_a_failure_is_never_without_a_line():
    report = build_report([outcome("a", status="failed")], compared=MERGE)
    assert report.not_rendered == (NotRendered(id="argocd/a/application.yaml#a", reason=NO_REASON),)
    given_reason = NotRendered(id="argocd/a/application.yaml#a", reason="broken")
    assert build_report(
        [outcome("a", status="failed")], compared=MERGE, not_rendered=[given_reason] * 2
    ).not_rendered == (given_reason,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([outcome("a", status="unchanged")] * 2, "2 outcomes of one target"),
        (
            [Outcome(id="a", name="a", file="a", kind="Helm", status="failed", changes=TargetChanges())],
            "a comparison of a target that is failed: a",
        ),
        ([Outcome(id="a", name="a", file="a", kind="Helm", status="added")], "added without a comparison: a"),
    ],
)
def test_a_caller_that_contradicts_itself_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        build_report(wrong, compared=MERGE)


def test_an_outcome_takes_the_targets_own_fields():
    target = Target(
        id="charts/web",
        name="web",
        file="charts/web",
        kind="Helm",
        path="charts/web",
        sources=(Source(path="charts/web"),),
    )
    assert outcome_of(target, "unchanged", reaches="v*", plan_reason="not rendered") == Outcome(
        id="charts/web",
        name="web",
        file="charts/web",
        kind="Helm",
        path="charts/web",
        status="unchanged",
        reaches="v*",
        plan_reason="not rendered",
    )
