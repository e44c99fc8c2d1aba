"""The destructive cases, generated together: what is copied, what shrinks, fails, is empty or loosens its own guard.

Each object of a generated cluster knows whose it truly is, so what may go is said here in other words than in the code:
nothing that is not the Application's own, whatever marks it carries; and of its own nothing that the last synced
revision would not have let go unasked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gitops_bot.agent.application.record import GUARD, Record
from gitops_bot.agent.loop.removal import removals
from gitops_bot.agent.ownership.identity import claimant
from gitops_bot.agent.reconcile.holding import Counts, judged
from gitops_bot.agent.rules.guards import PRECIOUS, Limits, candidates, in_force, record
from gitops_bot.agent.rules.options import ApplicationOptions
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.settings import PruneGuard
from tests.agent.lives import APP, LABEL, OTHER, key, live, tracking
from tests.agent.reconcile.test_holding import CASCADE, app, resources

NOW = datetime(2026, 11, 29, 18, 0, 0, tzinfo=UTC)
KINDS = ("ConfigMap", "ConfigMap", "ConfigMap", "Deployment", "Namespace", "PersistentVolumeClaim", "StatefulSet")
ORIGINAL = key(name="original")
"""What copies are copied from."""
COPIES: dict[str, dict[str, Any]] = {
    "label copied to a stranger's object": {"id_": ""},
    "label and id copied from another object": {"id_": tracking(ORIGINAL)},
    "id copied, without the label": {"label": None, "id_": tracking(ORIGINAL)},
    "copied to what a controller owns": {"owned": True},
    "another Application's": {"label": OTHER.id},
    "another Application's, with our label": {"label": LABEL},
    "another Application's, copied to what a controller owns": {"label": OTHER.id, "owned": True},
    "a stranger's": {"label": None, "id_": ""},
}
"""How an object that is not ours comes to carry marks of ours, or not."""


class Thing(NamedTuple):
    """One object, and the truth about it."""

    live: Live
    is_own: bool
    is_others: bool = False


def _thing(kind: str, name: str, copy: str | None) -> Thing:
    of = key(kind, name)
    if copy is None:
        return Thing(live(of), is_own=True)
    marks = dict(COPIES[copy])
    if copy.startswith("another Application's"):
        marks["id_"] = tracking(of, OTHER)
    others = "id_" in marks and marks["id_"] == tracking(of, OTHER) and "owned" not in marks
    return Thing(live(of, **marks), is_own=False, is_others=others)


THINGS = st.lists(
    st.builds(_thing, st.sampled_from(KINDS), st.text("abcdef", min_size=1, max_size=2), st.none() | st.sampled_from(sorted(COPIES))),
    max_size=40, unique_by=lambda each: each.live.key,
)  # fmt: skip
LIMITS = st.builds(Limits, percent=st.integers(0, 100), objects=st.integers(0, 30), allow_empty=st.booleans())


class Commit(NamedTuple):
    """What a commit makes of the Application."""

    shrinks_to: int
    """Percent of its objects that are left in Git, as when a generator yields less."""
    rendered: bool
    says: Limits
    """Its own word on how much may go."""


COMMITS = st.builds(Commit, st.sampled_from([0, 0, 5, 50, 90, 100]), st.sampled_from([True, True, True, False]), LIMITS)


@settings(deadline=None, max_examples=300)
@given(THINGS, COMMITS, LIMITS)
def test_every_destructive_case_is_stopped_and_nothing_else_is(
    things: list[Thing], commit: Commit, synced: Limits
) -> None:
    own = [each.live for each in things if each.is_own]
    wanted = frozenset(each.key for each in own[: len(own) * commit.shrinks_to // 100])
    leaving = {each.key for each in own} - wanted
    before = app(annotations={GUARD: record(synced)})

    found = candidates([each.live for each in things], wanted, APP, lambda _key: True)
    counts = Counts(len(wanted), len(wanted), rendered=commit.rendered)
    limits = in_force(before.annotations[GUARD], commit.says)
    going = _keys(judged(before, Record(), found, ApplicationOptions(), limits, counts, NOW).prune)

    for each in things:
        assert (claimant(each.live, APP) is not None) == each.is_others  # so it is never written either
    assert going <= leaving
    dangers = set(_dangers(leaving, len(own), len(wanted), commit, synced))
    for danger in dangers:
        event(danger)
    assert bool(going) == (bool(leaving) and not dangers)
    assert going in (set(), leaving), "half of a commit is no better"


def _keys(lives: tuple[Live, ...]) -> set[ResourceKey]:
    return {each.key for each in lives}


def _dangers(leaving: set[ResourceKey], managed: int, wanted: int, commit: Commit, synced: Limits):
    """Why nothing may go unasked: by the word of the commit and by that of the one before, whichever is stricter."""
    if not commit.rendered:
        yield "a source failed to render"
    if any((each.group, each.kind) in PRECIOUS for each in leaving):
        yield "precious"
    for name, limits in (("synced", synced), ("commit", commit.says)):
        if leaving and wanted == 0 and not limits.allow_empty:
            yield f"empty ({name})"
    objects, percent = min(synced.objects, commit.says.objects), min(synced.percent, commit.says.percent)
    if len(leaving) > objects and len(leaving) * 100 > percent * managed:
        yield "too many"


# -- definitions that shrink ------------------------------------------------------------------------------------------

RESOURCES = st.lists(
    st.sampled_from([("", "ConfigMap"), ("apps", "Deployment"), ("", "PersistentVolumeClaim"), ("", "Namespace")]),
    max_size=14,
)
APPLICATIONS = st.lists(st.tuples(RESOURCES, st.booleans(), LIMITS), max_size=40)


@settings(deadline=None, max_examples=300)
@given(APPLICATIONS, st.integers(0, 60), st.integers(0, 100), st.integers(0, 30), st.booleans())
def test_a_generator_that_yields_less_takes_nothing_along_that_nobody_has_seen(
    gone: list[tuple[list[tuple[str, str]], bool, Limits]], others: int, percent: int, objects: int, loosens: bool
) -> None:
    """What goes without a word is little, and takes little along, whatever the commit says of its own limits."""
    applications = [
        app(
            f"app-{number}", status=resources(*kinds), finalizers=CASCADE if cascades else (),
            annotations={GUARD: record(synced), **({"gitops-bot/prune-guard-percent": "100"} if loosens else {})},
        )
        for number, (kinds, cascades, synced) in enumerate(gone)
    ]  # fmt: skip
    found = removals(applications, len(gone) + others, PruneGuard(percent=percent, objects=objects))
    assert [each.app for each in found] == applications
    free = [gone[number] for number, each in enumerate(found) if not each.reason]
    event("some go" if free else "none goes")
    for kinds, cascades, synced in free:
        assert not cascades or not {("", "PersistentVolumeClaim"), ("", "Namespace")} & set(kinds)
        most, share = min(objects, synced.objects), min(100 if loosens else percent, synced.percent)
        assert not cascades or len(kinds) <= most or share == 100
        assert len(gone) <= most or len(gone) * 100 <= share * (len(gone) + others)
