from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.rules.guards import (
    APPROVED,
    GUARD_OBJECTS,
    GUARD_PERCENT,
    PRECIOUS,
    Ending,
    Limits,
    Verdict,
    candidates,
    ending,
    is_approved,
    judge,
    limits_of,
)
from gitops_bot.agent.rules.options import ApplicationOptions, application_options
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey
from tests.agent.lives import APP, LABEL, OTHER, key, live, tracking

NOW = datetime(2026, 11, 29, 18, 0, 0, 400_000, tzinfo=UTC)


def permitted(of: ResourceKey) -> bool:
    return of.namespace != "kube-system"


CM = key()


def found(*lives: Live, desired: frozenset[ResourceKey] = frozenset()) -> list[str]:
    """What becomes of each: its name, and why it is not pruned."""
    told = candidates(lives, desired, APP, permitted)
    return [
        *(f"{each.key.name}: prune" for each in told.prunable),
        *(f"{each.key.name}: going" for each in told.going),
        *(f"{each.key.name}: {reason}" for each, reason in told.not_ours),
    ]


# -- candidates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("object_", "expected"),
    [
        (live(CM), ["cm: prune"]),
        (live(CM, label=None), ["cm: unproven"]),
        (live(CM, label=OTHER.id), ["cm: other-app"]),
        (live(CM, label=OTHER.id, id_=tracking(CM, OTHER)), ["cm: other-app"]),
        (live(CM, label=None, id_=tracking(CM, OTHER)), ["cm: other-app"]),
        (live(CM, id_=tracking(CM, OTHER)), ["cm: other-app"]),
        (live(CM, id_=tracking(CM, App("shop-2", "gitops"))), ["cm: other-app"]),
        (live(CM, id_=""), ["cm: unproven"]),
        (live(CM, id_=tracking(key(name="original"))), ["cm: unproven"]),
        (live(CM, id_=tracking(key("Secret"))), ["cm: unproven"]),
        (live(CM, id_=tracking(key(namespace="elsewhere"))), ["cm: unproven"]),
        (live(CM, id_=tracking(key(name="original"), OTHER)), ["cm: unproven"]),
        (live(CM, owned=True), ["cm: owned"]),
        (live(key(namespace="kube-system")), ["cm: forbidden"]),
        (live(CM, deleting=True), ["cm: going"]),
        (live(CM, deleting=True, owned=True), ["cm: owned"]),
    ],
)
def test_who_is_pruned(object_: Live, expected: list[str]) -> None:
    assert found(object_) == expected


def test_what_git_wants_is_no_candidate_and_what_is_found_twice_is_one() -> None:
    assert found(live(CM), live(CM), live(key(name="b")), desired=frozenset({CM})) == ["b: prune"]
    assert found(live(CM), live(CM)) == ["cm: prune"]


def test_copies_that_controllers_make_are_left_alone() -> None:
    """A Service's labels appear on its Endpoints, a Deployment's annotations on its ReplicaSets (measured)."""
    deployment = key("Deployment", "web")
    endpoints = live(key("Endpoints", "web"), id_="")
    replica_set = live(key("ReplicaSet", "web-1"), id_=tracking(deployment), owned=True)
    assert found(endpoints, replica_set) == ["web: unproven", "web-1: owned"]


# -- guards -----------------------------------------------------------------------------------------------------------


def verdict(
    *lives: Live,
    managed: int = 100,
    desired: int = 50,
    rendered: bool = True,
    options: ApplicationOptions | None = None,
    limits: Limits | None = None,
    approved: bool = False,
) -> Verdict:
    return judge(
        lives, managed=managed, desired=desired, rendered=rendered, options=options or ApplicationOptions(),
        limits=limits or Limits(), approved=approved,
    )  # fmt: skip


def some(count: int) -> tuple[Live, ...]:
    return tuple(live(key(name=f"cm-{number:02}")) for number in range(count))


def guards(of: Verdict) -> list[str]:
    assert not (of.holds and of.prune)
    return [hold.guard for hold in of.holds]


def test_a_few_objects_go_without_asking() -> None:
    assert verdict(*some(10), managed=10, desired=1) == Verdict(prune=some(10))


@pytest.mark.parametrize(
    ("going", "managed", "held"),
    [
        (10, 10, False),
        (11, 11, True),
        (11, 21, True),
        (11, 22, False),
        (51, 100, True),
        (50, 100, False),
        (11, 0, True),
    ],
)
def test_more_than_half_and_more_than_ten_are_held(going: int, managed: int, held: bool) -> None:
    of = verdict(*some(going), managed=managed)
    assert guards(of) == (["too-many"] if held else [])
    assert len(of.prune) == (0 if held else going)


def test_every_hold_says_what_would_go_and_what_to_do() -> None:
    of = verdict(*some(11), live(key("PersistentVolumeClaim", "data")), managed=12, desired=0)
    assert guards(of) == ["empty", "too-many", "precious"]
    for hold, part in zip(
        of.holds, ("cm-00 and 11 more", "12 of 12 objects", "PersistentVolumeClaim/shop/data"), strict=True
    ):
        assert part in hold.message
        assert APPROVED in hold.message


@pytest.mark.parametrize("kind", ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "StatefulSet"])
def test_what_takes_data_along_is_held_even_alone(kind: str) -> None:
    assert guards(verdict(live(key(kind, "one")))) == ["precious"]
    assert [hold.guard for hold in verdict(live(key(kind, "one")), approved=True).approved] == ["precious"]
    assert verdict(live(key(kind, "one")), approved=True).prune


def test_kinds_of_the_same_name_in_other_groups_are_ordinary() -> None:
    other = live(ResourceKey("x.io", "Namespace", "shop", "one"))
    assert guards(verdict(other)) == []


def test_one_guard_holds_every_prune() -> None:
    of = verdict(*some(3), live(key("StatefulSet", "db")))
    assert guards(of) == ["precious"]
    assert of.prune == ()


def test_a_failed_render_holds_everything_whatever_is_approved() -> None:
    for approved in (True, False):
        of = verdict(*some(1), rendered=False, approved=approved)
        assert guards(of) == ["render-failed"]
        assert not of.holds[0].approvable


def test_an_empty_set_is_held_unless_the_last_sync_allowed_it() -> None:
    assert guards(verdict(*some(1), desired=0)) == ["empty"]
    assert guards(verdict(*some(1), desired=0, limits=Limits(allow_empty=True))) == []
    assert guards(verdict(desired=0)) == []
    assert guards(verdict(*some(1), desired=0, approved=True)) == []


def test_prune_false_keeps_an_object_and_counts_for_nothing() -> None:
    kept = live(key("Namespace", "shop"), sync="Prune=false")
    assert verdict(kept) == Verdict(kept=(kept,))
    assert verdict(kept, rendered=False, desired=0) == Verdict(kept=(kept,))
    off = application_options(["Prune=false"])
    wanted = live(CM, sync="Prune=true")
    assert verdict(*some(2), wanted, options=off) == Verdict(prune=(wanted,), kept=some(2))


def test_prune_confirm_asks() -> None:
    asking = live(CM, sync="Prune=confirm")
    assert guards(verdict(asking, *some(1))) == ["confirm"]
    assert verdict(asking, *some(1), approved=True).prune == (asking, *some(1))
    assert guards(verdict(*some(1), options=application_options(["Prune=confirm"]))) == ["confirm"]


def test_thresholds_of_one_application() -> None:
    annotated = {GUARD_PERCENT: "80", GUARD_OBJECTS: "3"}
    assert limits_of({}, percent=50, objects=10, allow_empty=False) == Limits()
    assert limits_of(annotated, percent=50, objects=10, allow_empty=True) == Limits(
        percent=80, objects=3, allow_empty=True
    )
    strict = limits_of({GUARD_PERCENT: "0", GUARD_OBJECTS: "0"}, percent=50, objects=10, allow_empty=False)
    assert guards(verdict(*some(1), limits=strict)) == ["too-many"]


@pytest.mark.parametrize("text", ["101", "-1", "", "all", "1e3", "\u0665", "9" * 40, " 5"])
def test_thresholds_that_are_none_do_not_count(text: str) -> None:
    assert limits_of({GUARD_PERCENT: text}, percent=50, objects=10, allow_empty=False) == Limits()


# -- approval ---------------------------------------------------------------------------------------------------------

START = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("text", "approved"),
    [
        ("2026-11-29T17:58:00Z", True),
        ("2026-11-29T18:58:00+01:00", True),
        ("2026-11-29T17:55:00Z", True),
        ("2026-11-29T17:54:59Z", False),
        ("2026-11-29T18:00:59Z", True),
        ("2026-11-29T18:02:00Z", False),
        ("2099-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("2026-11-29T17:58:00", False),
        ("2026-11-29", False),
        ("true", False),
        ("", False),
    ],
)
def test_an_approval_is_a_time_from_the_start_on_and_not_ahead(text: str, approved: bool) -> None:
    assert is_approved({APPROVED: text}, START, NOW) is approved


def test_no_annotation_is_no_approval() -> None:
    assert not is_approved({}, START, NOW)


# -- laws -------------------------------------------------------------------------------------------------------------

KINDS = (
    "ConfigMap",
    "Deployment",
    "Secret",
    "Namespace",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "StatefulSet",
)
LIVES = st.builds(
    live,
    st.builds(key, st.sampled_from(KINDS), st.text("abcdefghijkl", min_size=1, max_size=2), st.sampled_from(["shop", "kube-system"])),
    label=st.sampled_from([LABEL, LABEL, LABEL, None, OTHER.id]),
    id_=st.sampled_from([None, None, None, "", tracking(CM), tracking(CM, OTHER), "shop", ":::"]),
    owned=st.sampled_from([False, False, False, True]),
    deleting=st.sampled_from([False, False, True]),
    sync=st.sampled_from(["", "", "", "Prune=false", "Prune=confirm", "Prune=true"]),
)  # fmt: skip
CORPUS = st.lists(LIVES, max_size=30, unique_by=lambda each: each.key)


@settings(deadline=None)
@given(CORPUS, st.frozensets(st.sampled_from([CM, key(name="a"), key("Secret", "b")])))
def test_only_what_is_proven_ours_is_ever_a_candidate(lives: list[Live], desired: frozenset[ResourceKey]) -> None:
    told = candidates(lives, desired, APP, permitted)
    for each in told.prunable:
        assert each.labels["applyset.kubernetes.io/part-of"] == LABEL
        assert each.annotations["argocd.argoproj.io/tracking-id"] == tracking(each.key)
        assert not each.owned
        assert not each.deleting
        assert each.key.namespace != "kube-system"
        assert each.key not in desired
    sorted_out = [*told.prunable, *told.going, *(each for each, _ in told.not_ours)]
    assert {each.key for each in sorted_out} == {each.key for each in lives} - desired
    assert candidates(reversed(lives), desired, APP, permitted) == told


@settings(deadline=None)
@given(CORPUS, st.integers(0, 60), st.integers(0, 5), st.booleans(), st.booleans())
def test_nothing_destructive_goes_unapproved(
    lives: list[Live], managed: int, desired: int, rendered: bool, approved: bool
) -> None:
    of = verdict(*lives, managed=managed, desired=desired, rendered=rendered, approved=approved)
    assert not any(each.annotations["argocd.argoproj.io/sync-options"] == "Prune=false" for each in of.prune)
    if not of.prune:
        return
    assert rendered
    if not approved:
        assert desired > 0
        assert not any((each.key.group, each.key.kind) in PRECIOUS for each in of.prune)
        assert len(of.prune) <= 10 or len(of.prune) * 2 <= managed
        assert not any(each.annotations["argocd.argoproj.io/sync-options"] == "Prune=confirm" for each in of.prune)


# -- the end of an Application ----------------------------------------------------------------------------------------

ITSELF = ResourceKey("argoproj.io", "Application", "argocd", "shop")


@pytest.mark.parametrize(
    ("object_", "options", "left"),
    [
        (live(CM), "", None),
        (live(key("Namespace", "shop")), "", None),
        (live(key("CustomResourceDefinition", "x")), "", "definition"),
        (live(ITSELF), "", "itself"),
        (live(CM, sync="Delete=false"), "", "Delete=false"),
        (live(CM), "Delete=false", "Delete=false"),
        (live(CM, sync="Delete=true"), "Delete=false", None),
        (live(CM, sync="Prune=false"), "", None),
        (live(CM, policy="keep"), "", "keep"),
        (live(key(namespace="kube-system")), "", "forbidden"),
        (live(CM, sync="Delete=confirm"), "", "not-approved"),
    ],
)
def test_what_outlives_its_application(object_: Live, options: str, left: str | None) -> None:
    of = ending([object_], itself=ITSELF, options=application_options([options]), permitted=permitted, approved=False)
    assert [reason for _, reason in of.left] == ([left] if left else [])
    assert of.delete == (() if left else (object_,))


def test_what_another_application_has_by_now_stays_and_the_rest_goes() -> None:
    moved, own = live(CM, sync="Delete=confirm"), live(key(name="b"))

    def of(*lives: Live) -> Ending:
        return ending(
            lives, itself=ITSELF, options=ApplicationOptions(), permitted=permitted, approved=False,
            heir=lambda key: "other" if key in (CM, ITSELF) else "",
        )  # fmt: skip

    assert of(moved, own, live(ITSELF)) == Ending(delete=(own,), left=((moved, "moving"), (live(ITSELF), "itself")))
    assert of(moved).moving
    assert not of(own, live(ITSELF)).moving


def test_a_deletion_that_waits_deletes_nothing_until_it_is_approved() -> None:
    lives = [live(CM), live(key(name="b"), sync="Delete=confirm")]
    waiting, approved = (
        ending(lives, itself=ITSELF, options=ApplicationOptions(), permitted=permitted, approved=each)
        for each in (False, True)
    )
    assert (bool(waiting.asks), waiting.delete) == (True, ())
    assert (approved.asks, approved.delete, approved.approved) == ("", tuple(lives), (lives[1],))
