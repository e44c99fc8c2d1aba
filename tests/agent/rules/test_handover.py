"""To whom an object goes, and who is waited for: never a moment in which it is gone, never another project's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gitops_bot.agent.rules.guards import candidates
from gitops_bot.agent.rules.handover import (
    Look,
    Marks,
    Other,
    Patience,
    awaited,
    has_let_go,
    heir,
    holder,
    marks,
    patience,
)
from gitops_bot.model.resource import ResourceKey
from tests.agent.lives import APP, OTHER, key, live, tracking

NOW = datetime(2026, 11, 29, 18, 0, 0, tzinfo=UTC)
LONGEST = timedelta(seconds=120)
WEB = key("Deployment", "web")


def look(*wants: ResourceKey, project: str = "shop", **fields: object) -> Look:
    all_ = marks(wants)
    made = Look(uid="u", project=project, spec=b"", wants=all_, permitted=all_, since=NOW - timedelta(hours=1))
    return msgspec.structs.replace(made, **fields)


def other(name: str = "new", of: Look | None = None, *, project: str = "shop", current: bool = True, **state: object):
    return Other(name, project, of, current, **state)


# -- to whom it goes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (other(of=look(WEB)), "new"),
        (other(of=look(WEB), current=False), "new"),
        (other(of=look(WEB), is_left_alone=True), "new"),
        (other(of=look(WEB, failing=NOW)), "new"),
        (other(of=look(key())), ""),
        (other(of=None), ""),
        (other(of=look(WEB), is_going=True), ""),
        (other(of=look(WEB, project="else"), project="else"), ""),
        (other(of=look(WEB), project="else"), ""),
        (other(of=look(WEB, project="else")), ""),
        (other(of=look(WEB, permitted=Marks())), ""),
    ],
)
def test_who_has_it_in_git_by_now_gets_it(there: Other, expected: str) -> None:
    assert heir(WEB, "shop", [there]) == expected


def test_of_several_the_first_by_name_is_named() -> None:
    assert heir(WEB, "shop", [other("b", look(WEB)), other("a", look(WEB)), other("0", look())]) == "a"


KEYS = st.builds(key, st.sampled_from(["ConfigMap", "Secret"]), st.text("abc", min_size=1, max_size=2))


@given(st.frozensets(KEYS), st.frozensets(KEYS))
def test_marks_have_what_they_were_made_of(one: frozenset[ResourceKey], other_one: frozenset[ResourceKey]) -> None:
    found = marks(one)
    assert {each for each in one | other_one if each in found} == one
    assert (found == marks(other_one)) == (one == other_one)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (other(of=look()), True),
        (other(of=look(WEB)), False),
        (other(of=look(WEB, permitted=Marks())), False),
        (other(of=look(), current=False), False),
        (other(of=look(failing=NOW)), False),
        (other(of=None, current=False), False),
        (other(of=look(), is_left_alone=True), False),
        (other(of=None, current=False, is_going=True), True),
        (other(of=None, current=False, is_going=True, project="else"), False),
        (other(of=look(), project="else"), False),
    ],
)
def test_only_who_is_known_not_to_want_it_loses_it(owner: Other, expected: bool) -> None:
    assert has_let_go(WEB, "shop", owner) == expected


def test_an_object_is_held_by_whom_both_of_its_marks_name() -> None:
    assert holder(live(WEB), "gitops") == "shop"
    assert holder(live(WEB), "elsewhere") == ""
    assert holder(live(WEB, label=None), "gitops") == ""
    assert holder(live(WEB, label=OTHER.id), "gitops") == ""
    assert holder(live(WEB, id_=tracking(key())), "gitops") == ""
    assert holder(live(WEB, owned=True), "gitops") == ""


# -- who is waited for ------------------------------------------------------------------------------------------------

LONG_AGO, JUST_NOW = NOW - LONGEST, NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (other(of=look()), ()),
        (other(of=None, current=False), ("new",)),
        (other(of=None, current=False, project="else"), ("new",)),
        (other(of=look(), current=False), ("new",)),
        (other(of=look(project="else"), project="else", current=False), ()),
        (other(of=look(project="else", children={"a": b""}), project="else", current=False), ("new",)),
        (other(of=look(failing=JUST_NOW)), ("new",)),
        (other(of=look(failing=LONG_AGO)), ()),
        (other(of=look(failing=LONG_AGO), current=False), ("new",)),
        (other(of=None, current=False, is_left_alone=True), ()),
        (other(of=None, current=False, is_going=True), ()),
        (other(of=look(children={"a": b""}, since=JUST_NOW), unmade=("a",)), ("a",)),
        (other(of=look(children={"a": b""}, since=LONG_AGO), unmade=("a",)), ()),
    ],
)
def test_who_may_want_it_is_waited_for(there: Other, expected: tuple[str, ...]) -> None:
    assert awaited("shop", [there], NOW, LONGEST) == expected


def test_two_parents_do_not_wait_for_each_others_children() -> None:
    parent = other("parent", look(children={"a": b""}, since=JUST_NOW), unmade=("a",))
    assert awaited("shop", [parent], NOW, LONGEST, children=False) == ()


def test_of_an_object_that_another_has_only_that_one_matters_and_who_made_it() -> None:
    late = {"current": False}
    parent = other("parent", look(children={"owner": b"", "b": b""}, since=JUST_NOW), unmade=("owner", "b"))
    others = [other("owner", look(), **late), other("stranger", look(), **late), other("new", None, **late), parent]
    assert awaited("shop", others, NOW, LONGEST, about={"owner"}) == ("owner",)
    assert awaited("shop", others[1:], NOW, LONGEST, about={"owner"}) == ("owner",)


@given(st.lists(st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.integers(0, 100)), min_size=1, max_size=30))
def test_nobody_waits_longer_than_the_longest_however_many_commits_come(steps: list[tuple[str, int]]) -> None:
    now, so_far = NOW, None
    begun: datetime | None = None
    for commit, seconds in steps:
        now += timedelta(seconds=seconds)
        before, so_far = so_far, patience(so_far, (commit,), now, LONGEST)
        if so_far.is_over:
            begun = None
            continue
        begun = begun or now
        assert now - begun < LONGEST
        assert before is None or not before.is_over or before.commits != (commit,), "over is over, for one commit"


def test_a_commit_that_came_after_a_wait_is_waited_for_anew() -> None:
    over = Patience(commits=("c1",), since=NOW - 3 * LONGEST, is_over=True)
    assert patience(over, ("c1",), NOW, LONGEST).is_over
    assert patience(over, ("c2",), NOW, LONGEST) == Patience(commits=("c2",), since=NOW)


# -- all of it ----------------------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
OBJECTS = tuple(key(name=name) for name in ("one", "two"))
WANTS = st.fixed_dictionaries({name: st.frozensets(st.sampled_from(OBJECTS)) for name in NAMES})


class World:
    """Applications of one agent, of which one after the other is looked at and worked on, in any order."""

    def __init__(self, commits: list[dict[str, frozenset[ResourceKey]]], projects: dict[str, str]) -> None:
        self.commits, self.projects = commits, projects
        self.head = 0
        self.looks: dict[str, tuple[int, Look]] = {}
        self.owner: dict[ResourceKey, str] = {}
        self.made: dict[ResourceKey, int] = {}
        """How often each object was made."""

    def others(self, name: str) -> list[Other]:
        found = []
        for each in NAMES:
            at, seen = self.looks.get(each, (-1, None))
            if each != name:
                found.append(Other(each, self.projects[each], seen, at == self.head))
        return found

    def work(self, name: str) -> None:
        """One look of an Application, at what Git says now, and the sync that it leads to."""
        wants, project, others = self.commits[self.head][name], self.projects[name], self.others(name)
        self.looks[name] = (self.head, look(*wants, project=project))
        left = [live(each, label=None) for each in OBJECTS if self.owner.get(each) == name and each not in wants]
        shared = {self.owner[each] for each in wants if self.owner.get(each, name) != name}
        waits = awaited(project, others, NOW, LONGEST) if left else ()
        owners = {each.name for each in others if each.name in shared and each.project == project}
        waits += awaited(project, others, NOW, LONGEST, about=owners) if owners else ()
        if waits:
            return
        for each in left:
            if not heir(each.key, project, others):
                del self.owner[each.key]
        for each in wants:
            owner = next((one for one in others if one.name == self.owner.get(each)), None)
            if owner is None or has_let_go(each, project, owner):
                assert owner is None or each not in self.commits[self.head][owner.name], "it is not taken from it"
                self.made[each] = self.made.get(each, 0) + (each not in self.owner)
                self.owner[each] = name


@settings(deadline=None, max_examples=400)
@given(
    st.lists(WANTS, min_size=2, max_size=4),
    st.fixed_dictionaries({name: st.sampled_from(["shop", "shop", "else"]) for name in NAMES}),
    st.lists(st.sampled_from([*NAMES, "push", "restart"]), max_size=40),
)
def test_what_git_always_has_in_one_project_is_made_once(
    commits: list[dict[str, frozenset[ResourceKey]]], projects: dict[str, str], steps: list[str]
) -> None:
    world = World(commits, projects)
    for _ in range(2):
        for name in NAMES:
            world.work(name)
    for step in [*steps, *NAMES * 4]:
        if step == "push":
            world.head = min(world.head + 1, len(commits) - 1)
        elif step == "restart":
            world.looks.clear()
        else:
            world.work(step)
    for each in OBJECTS:
        wanted = [{projects[name] for name in NAMES if each in at[name]} for at in commits[: world.head + 1]]
        if all(found == wanted[0] and len(found) == 1 for found in wanted):
            event("an object that one project has in every commit")
            assert world.made[each] == 1
        now = [name for name in NAMES if each in commits[world.head][name]]
        assert (world.owner.get(each) in now) if now else each not in world.owner


@settings(deadline=None)
@given(st.lists(st.sampled_from([*OBJECTS, WEB]), unique=True), st.frozensets(st.sampled_from([*OBJECTS, WEB])))
def test_what_moves_is_no_candidate_and_everything_is_told_apart(
    found: list[ResourceKey], moved: frozenset[ResourceKey]
) -> None:
    others = [other(of=look(*moved))]
    told = candidates(map(live, found), frozenset(), APP, lambda _key: True, lambda of: heir(of, "shop", others))
    assert {each.key for each in told.prunable} == set(found) - moved
    assert {each.key for each, name in told.moving if name == "new"} == set(found) & moved
