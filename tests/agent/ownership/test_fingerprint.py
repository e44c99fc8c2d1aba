"""A fingerprint moves when somebody touches what Git describes, and only then."""

from __future__ import annotations

import msgspec
import pytest

from gitops_bot.agent.ownership.fingerprint import COALESCE, SETTLE, baseline, due, fingerprint, is_settled, judge
from tests.agent.entries import APPLIED, EDITED, NOON, deployment, entry, live, ours, seconds

STATUS = entry("kube-controller-manager", {"f:status": {"f:replicas": {}}}, subresource="status")
CLEAN = live(ours(APPLIED), STATUS, generation=3, labels={"a": "b", "other": "x"})
CONFIG = live(ours({"f:data": {"f:a": {}}}), kind="ConfigMap")


def changed(object_, **more):
    return msgspec.structs.replace(object_, **{"resource_version": "9", **more})


def without(fields, *path):
    if len(path) == 1:
        return {key: value for key, value in fields.items() if key != path[0]}
    return {**fields, path[0]: without(fields[path[0]], *path[1:])}


TOUCHED = {
    "a field that another manager took": [ours(without(APPLIED, "f:spec", "f:replicas")), entry("kubectl-edit", {"f:spec": {"f:replicas": {}}})],
    "a scale by its subresource": [ours(without(APPLIED, "f:spec", "f:replicas")), entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale")],
    "a label that was removed": [ours(without(APPLIED, "f:metadata"))],
    "managedFields that were cleared": [],
    "an apply under our own name": [ours(APPLIED, time=NOON + seconds(1))],
    "an update under our own name": [ours(APPLIED), entry("gitops-bot", {"f:data": {"f:b": {}}})],
    "a person's addition": [ours(APPLIED), entry("kubectl-edit", EDITED)],
    "another version of ours": [ours(APPLIED, api_version="apps/v1beta1")],
}  # fmt: skip

UNTOUCHED = {
    "status": [ours(APPLIED), entry("kube-controller-manager", {"f:status": {"f:x": {}}}, subresource="status", time=NOON + seconds(5))],
    "a controller's annotation": [ours(APPLIED), STATUS, entry("kube-controller-manager", {"f:metadata": {"f:annotations": {".": {}, "f:x": {}}}})],
    "a person's status": [ours(APPLIED), STATUS, entry("kubectl-edit", {"f:status": {"f:x": {}}}, subresource="status")],
    "the same in another order of entries": [STATUS, ours(APPLIED)],
    "the same in another order of fields": [ours(dict(reversed(APPLIED.items())))],
}  # fmt: skip


@pytest.mark.parametrize("name", TOUCHED)
def test_a_touch_is_looked_at_at_once(name):
    assert judge(baseline(CLEAN), changed(CLEAN, managed=tuple(TOUCHED[name])), now=NOON) == "look"


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_no_touch_is_not_looked_at(name):
    assert judge(baseline(CLEAN), changed(CLEAN, managed=tuple(UNTOUCHED[name])), now=NOON) == "unchanged"


def test_a_persons_addition_and_its_removal_give_the_first_fingerprint_again():
    edited = changed(CLEAN, managed=(*CLEAN.managed, entry("kubectl-edit", EDITED)))

    assert fingerprint(edited) != fingerprint(CLEAN)
    assert fingerprint(changed(edited, managed=CLEAN.managed)) == fingerprint(CLEAN)
    assert len(fingerprint(CLEAN)) == 16


def test_who_is_a_person_is_a_setting():
    edited = changed(CLEAN, managed=(*CLEAN.managed, entry("console", EDITED)))

    assert fingerprint(edited) == fingerprint(CLEAN)
    assert fingerprint(edited, people=["console"]) != fingerprint(CLEAN, people=["console"])


def test_a_deleted_and_made_again_object_is_another():
    assert judge(baseline(CLEAN), changed(CLEAN, uid="other"), now=NOON) == "look"


def test_the_values_of_our_labels_and_annotations_count_and_others_do_not():
    """A write under our name within the second of our own leaves the entry as it is."""
    assert judge(baseline(CLEAN), changed(CLEAN, labels={"a": "tampered", "other": "x"}), now=NOON) == "look"
    assert judge(baseline(CLEAN), changed(CLEAN, labels={"a": "b", "other": "y"}), now=NOON) == "unchanged"
    mine = live(ours({"f:metadata": {"f:annotations": {"f:n": {}}}}), annotations={"n": "1"})
    assert judge(baseline(mine), changed(mine, annotations={"n": "2"}), now=NOON) == "look"


def test_an_object_that_was_never_judged_is_looked_at():
    assert judge(None, CLEAN, now=NOON) == "look"


def test_the_state_that_was_judged_is_unchanged_whatever_it_looks_like():
    assert judge(baseline(CLEAN), msgspec.structs.replace(CLEAN, managed=()), now=NOON) == "unchanged"


def test_a_generation_that_moves_alone_is_looked_at_later_once_a_minute():
    known = baseline(CLEAN)
    assert judge(known, changed(CLEAN, generation=4), now=NOON) == "later"
    assert due(known, now=NOON) == NOON

    looked = baseline(CLEAN, looked=NOON)
    assert due(looked, now=NOON + seconds(20)) == NOON + COALESCE
    assert due(looked, now=NOON + seconds(90)) == NOON + seconds(90)


def test_an_object_of_a_server_without_managed_fields_is_looked_at_when_it_changes():
    bare = live()
    assert judge(baseline(bare), bare, now=NOON) == "unchanged"
    assert judge(baseline(bare), changed(bare, labels={"other": "x"}), now=NOON) == "later"


def test_both_signals_are_looked_at_at_once():
    assert judge(baseline(CLEAN), changed(CLEAN, managed=(), generation=4), now=NOON) == "look"


@pytest.mark.parametrize(
    ("object_", "written", "after", "expected"),
    [
        (CONFIG, NOON, seconds(0.3), "look"),
        (CONFIG, NOON, SETTLE, "look"),
        (CONFIG, NOON, SETTLE + seconds(0.1), "unchanged"),
        (CONFIG, None, seconds(0.3), "unchanged"),
        (CLEAN, NOON, seconds(0.3), "unchanged"),  # its generation would have moved
    ],
)
def test_what_may_be_of_the_second_of_our_own_write_is_looked_at(object_, written, after, expected):
    assert judge(baseline(object_, written=written), changed(object_), now=NOON + after) == expected


# -- after a restart ---------------------------------------------------------------------------------------------------


def test_an_object_that_we_left_as_git_has_it_is_settled():
    assert is_settled(CLEAN, deployment(), ended=NOON)


@pytest.mark.parametrize(
    ("object_", "ended"),
    [
        (CLEAN, None),
        (CLEAN, NOON - seconds(1)),
        (live(), NOON),
        (live(ours(APPLIED, time=None)), NOON),
        (live(ours(APPLIED, api_version="apps/v1beta1")), NOON),
        (live(ours(without(APPLIED, "f:spec", "f:replicas"))), NOON),
        (live(ours({**APPLIED, "f:data": {"f:more": {}}})), NOON),
        (live(ours(APPLIED), entry("kubectl-edit", EDITED)), NOON),
    ],
)
def test_everything_else_is_looked_at(object_, ended):
    assert not is_settled(object_, deployment(), ended=ended)
