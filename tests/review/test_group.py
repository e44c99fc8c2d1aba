from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given

from gitops_bot.model.report import Compared
from gitops_bot.review.group import canonical, group_for_people
from gitops_bot.review.report import build_report
from gitops_bot.review.view import build_view
from tests.review.cases import MERGE, deployment, outcome, removals, whole
from tests.review.strategies import outcomes, values

COMPARED = Compared(base="1" * 40, head="2" * 40)


@given(outcomes())
def test_every_change_and_target_lands_in_exactly_one_member_of_one_block(found):
    report = build_report(found, compared=COMPARED)
    told = Counter(
        (block.kind, block.group, block.action, member.namespace, member.name, target)
        for block in group_for_people(report)
        for member in block.members
        for target in member.targets
    )
    assert told == Counter(
        (change.kind, change.group, change.action, change.namespace, change.name, target)
        for change in report.changes
        for target in change.targets
    )


@given(outcomes())
def test_what_people_read_adds_up_to_the_counts(found):
    report = build_report(found, compared=COMPARED)
    view = build_view(report)
    sizes = Counter({"noise": sum(block.size for block in view.noise), "ignored": sum(b.size for b in view.ignored)})
    for section in view.sections:
        for block in section.blocks:
            sizes[block.action] += block.size
    counts = report.counts
    assert [sizes[name] for name in ("added", "changed", "removed", "noise", "ignored")] == [
        counts.added, counts.changed, counts.removed, counts.noise, counts.ignored,
    ]  # fmt: skip


def test_names_and_namespaces_do_not_part_a_block():
    changes = [deployment("a", "web"), deployment("b", "web"), deployment("c", "api")]
    report = build_report([outcome("x", *changes)], compared=MERGE)
    (block,) = group_for_people(report)
    assert [(member.namespace, member.name) for member in block.members] == [("a", "web"), ("b", "web"), ("c", "api")]


def test_another_value_parts_blocks():
    report = build_report([outcome("x", deployment("a"), deployment("b", to="sha-fffffff"))], compared=MERGE)
    assert len(group_for_people(report)) == 2


def test_an_image_that_is_named_like_the_object_parts_blocks():
    def using(name):
        change = whole("added", "apps", "Deployment", "a", name)
        return msgspec.structs.replace(change, diff=f"+  image: {name}\n")

    report = build_report([outcome("x", using("web"), using("api"))], compared=MERGE)
    assert len(group_for_people(report)) == 2


def test_added_objects_that_differ_in_their_own_name_only_are_one_block():
    report = build_report(
        [outcome("x", *(whole("added", "", "ConfigMap", space, "cfg") for space in ("a", "b")))], compared=MERGE
    )
    assert len(report.changes) == 2
    assert len(group_for_people(report)) == 1


def test_removals_come_first_and_those_that_take_more_along_before_them():
    blocks = group_for_people(removals())
    assert [(block.action, block.kind) for block in blocks] == [
        ("removed", "Namespace"),
        ("removed", "PersistentVolumeClaim"),
        ("removed", "ConfigMap"),
        ("added", "Service"),
    ]
    assert [bool(block.consequence) for block in blocks] == [True, True, False, False]


@given(values, values)
def test_canonical_texts_are_equal_only_for_values_of_one_type_that_are_equal(one, other):
    assert (canonical(one) == canonical(other)) == (type(one) is type(other) and one == other)
