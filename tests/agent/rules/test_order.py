from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gitops_bot.agent.rules.order import PHASES, Phase, Task, Wave, deletion, wave_of, waves
from gitops_bot.model.kinds import KINDS
from gitops_bot.model.resource import ResourceKey
from tests.agent.lives import key


def task(
    kind: str = "ConfigMap",
    name: str = "cm",
    wave: int = 0,
    *,
    phase: Phase = "Sync",
    prune: bool = False,
    last: bool = False,
    namespace: str = "shop",
) -> Task:
    return Task(key=key(kind, name, namespace), wave=wave, phase=phase, prune=prune, prune_last=last)


def definition(group: str, kind: str, wave: int = 0, *, prune: bool = False) -> Task:
    of = ResourceKey("apiextensions.k8s.io", "CustomResourceDefinition", "", f"{kind.lower()}s.{group}")
    return Task(key=of, wave=wave, defines=(group, kind), prune=prune)


def custom(group: str, kind: str, name: str = "one", wave: int = 0, *, prune: bool = False) -> Task:
    return Task(key=ResourceKey(group, kind, "shop", name), wave=wave, prune=prune)


def names(found: tuple[Wave, ...]) -> list[str]:
    return [each.key.name for wave in found for each in wave.tasks]


@pytest.mark.parametrize(
    ("annotations", "wave"),
    [
        ({}, 0),
        ({"argocd.argoproj.io/sync-wave": "3"}, 3),
        ({"argocd.argoproj.io/sync-wave": "-5"}, -5),
        ({"argocd.argoproj.io/sync-wave": "+2"}, 2),
        ({"helm.sh/hook-weight": "7"}, 7),
        ({"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "7"}, 1),
        ({"argocd.argoproj.io/sync-wave": "first", "helm.sh/hook-weight": "7"}, 7),
        ({"argocd.argoproj.io/sync-wave": "", "helm.sh/hook-weight": "x"}, 0),
        ({"argocd.argoproj.io/sync-wave": " 1"}, 0),
        ({"argocd.argoproj.io/sync-wave": "1.5"}, 0),
        ({"argocd.argoproj.io/sync-wave": "9" * 30}, 0),
    ],
)
def test_the_wave_of_an_object(annotations: dict[str, str], wave: int) -> None:
    assert wave_of(annotations) == wave


def test_the_kinds_are_in_argo_cds_order() -> None:
    assert len(KINDS) == 35
    every = [Task(key=ResourceKey("", kind, "shop", kind)) for kind in (*KINDS, "Zebra", "Aardvark")]
    random.Random(1).shuffle(every)
    assert names(waves(every)) == [*KINDS, "Aardvark", "Zebra"]


def test_phase_then_wave_then_kind_then_name() -> None:
    tasks = [
        task("Deployment", "b", 1), task("Deployment", "a", 1), task("ConfigMap", "z", 1), task("Pod", "early", -1),
        task("Job", "before", 5, phase="PreSync"), task("Job", "after", -5, phase="PostSync"), task("Job", "failed", -9, phase="SyncFail"),
    ]  # fmt: skip
    assert names(waves(tasks)) == ["before", "early", "z", "a", "b", "after", "failed"]
    assert [(wave.phase, wave.number) for wave in waves(tasks)] == [
        ("PreSync", 5), ("Sync", -1), ("Sync", 1), ("PostSync", -5), ("SyncFail", -9)
    ]  # fmt: skip


def test_consecutive_tasks_of_one_kind_go_together() -> None:
    (wave,) = waves(
        [
            task("ConfigMap", "a"),
            task("ConfigMap", "b"),
            task("Secret", "c"),
            custom("x.io", "A"),
            custom("x.io", "B"),
            custom("x.io", "A", "two"),
        ]
    )
    assert [[each.key.name for each in step] for step in wave.applies] == [["c"], ["a", "b"], ["one", "two"], ["one"]]


def test_a_namespace_goes_before_the_first_object_in_it_whatever_its_wave() -> None:
    found = waves(
        [task("Namespace", "shop", 5), task("ConfigMap", "in", -1), task("ConfigMap", "out", -2, namespace="other")]
    )
    assert names(found) == ["out", "shop", "in"]
    assert [wave.number for wave in found] == [-2, -1]
    hooked = waves([task("Namespace", "shop"), task("Job", "before", 3, phase="PreSync")])
    assert [(wave.phase, wave.number, names((wave,))) for wave in hooked] == [("PreSync", 3, ["shop", "before"])]


def test_a_namespace_that_nobody_needs_early_stays() -> None:
    assert names(waves([task("Namespace", "far", 5), task("ConfigMap", "in")])) == ["in", "far"]
    assert names(waves([task("Namespace", "shop", -1), task("ConfigMap", "in", 3)])) == ["shop", "in"]


def test_a_definition_goes_before_its_objects_whatever_their_kind_is_called() -> None:
    early = waves([definition("x.io", "Backup", 2), custom("x.io", "Backup", wave=1)])
    assert names(early) == ["backups.x.io", "one"]
    assert [wave.number for wave in early] == [1]
    # By its name alone this kind would be the third of the order.
    named = waves([definition("x.io", "ResourceQuota"), custom("x.io", "ResourceQuota"), task("Secret", "s")])
    assert names(named) == ["resourcequotas.x.io", "one", "s"]
    other = waves([definition("x.io", "Backup", 2), custom("y.io", "Backup", wave=1)])
    assert names(other) == ["one", "backups.x.io"]


# -- prunes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0], [0]),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
        ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]),
        ([0, 7, 20], [20, 7, 0]),
        ([-3, 10], [10, -3]),
        ([2, 2, 2], [2, 2, 2]),
    ],
)
def test_prune_waves_are_mirrored_over_those_that_occur(before: list[int], after: list[int]) -> None:
    found = waves([task(name=f"{place}", wave=wave, prune=True) for place, wave in enumerate(before)])
    placed = {each.key.name: wave.number for wave in found for each in wave.tasks}
    assert [placed[f"{place}"] for place in range(len(before))] == after


def test_waves_of_what_is_applied_do_not_count_for_the_mirror() -> None:
    found = waves([task(name="new", wave=9), task(name="a", wave=1, prune=True), task(name="b", wave=4, prune=True)])
    assert names(found) == ["b", "a", "new"]


def test_prunes_go_before_what_is_applied_in_their_wave() -> None:
    (wave,) = waves([task("Namespace", "shop"), task("Secret", "old", prune=True)])
    assert (names((wave,)), wave.prunes[0][0].key.name) == (["old", "shop"], "old")


def test_what_is_pruned_in_a_wave_goes_backwards() -> None:
    prunes = [task("Namespace", "shop", prune=True), task("ConfigMap", "a", prune=True), task("Deployment", "d", prune=True),
              definition("x.io", "Backup", prune=True), custom("x.io", "Backup", prune=True)]  # fmt: skip
    assert names(waves(prunes)) == ["one", "d", "backups.x.io", "a", "shop"]


def test_a_definition_is_not_pruned_before_its_objects() -> None:
    found = waves(
        [
            definition("x.io", "Backup", 3, prune=True),
            custom("x.io", "Backup", prune=True),
            task(name="b", wave=1, prune=True),
        ]
    )
    assert names(found) == ["b", "one", "backups.x.io"]


@pytest.mark.parametrize(
    ("others", "last"),
    [
        ([], 1),
        ([task(wave=0)], 1),
        ([task(wave=7)], 8),
        ([task(wave=-7)], 1),
        ([task(name="p", wave=4, prune=True)], 5),
        ([task(wave=9, phase="PostSync")], 1),
    ],
)
def test_prune_last_is_behind_every_wave_of_the_sync(others: list[Task], last: int) -> None:
    found = waves([*others, task(name="old", wave=-2, prune=True, last=True)])
    (number,) = [wave.number for wave in found if "old" in names((wave,))]
    assert number == last


def test_prune_last_counts_its_own_mirrored_waves_too() -> None:
    found = waves([task(name="a", wave=1, prune=True, last=True), task(name="b", wave=6, prune=True, last=True)])
    assert [wave.number for wave in found] == [7]


# -- the end of an Application ----------------------------------------------------------------------------------------


def test_an_application_is_deleted_backwards() -> None:
    tasks = [
        task("Namespace", "shop", 3),
        task("ConfigMap", "a"),
        task("ConfigMap", "b"),
        task("Deployment", "d"),
        task("Job", "late", 2),
    ]
    found = deletion(tasks)
    assert [wave.number for wave in found] == [2, 0]
    assert [[each.key.name for each in step] for wave in found for step in wave.prunes] == [
        ["late"],
        ["d"],
        ["a", "b"],
        ["shop"],
    ]
    assert all(each.prune and not wave.applies for wave in found for each in wave.tasks)


def test_an_object_is_there_once() -> None:
    with pytest.raises(ValueError, match="ConfigMap/shop/cm is there twice"):
        waves([task(), task(wave=3)])
    with pytest.raises(ValueError, match="to be applied and to be pruned"):
        waves([task(), task(prune=True, phase="PostSync")])
    assert len(names(waves([task("Job", "j", phase="PreSync"), task("Job", "j", phase="PostSync")]))) == 2


# -- laws -------------------------------------------------------------------------------------------------------------

KEYS = st.builds(
    key,
    st.sampled_from(["Namespace", "ConfigMap", "Deployment", "Widget", "Gadget", "CustomResourceDefinition"]),
    st.sampled_from(["a", "b", "shop"]),
    st.sampled_from(["a", "shop"]),
)
DEFINED = {"a": ("", "Widget"), "b": ("", "Gadget"), "shop": ("apps", "Deployment")}


def consistent(tasks: list[Task]) -> list[Task]:
    """Without objects that are both applied and pruned; definitions say what they define."""
    removed = {each.key: each.prune for each in reversed(tasks)}
    kept = [each for each in tasks if removed[each.key] is each.prune]
    return [
        replace(each, defines=DEFINED[each.key.name]) if each.key.kind == "CustomResourceDefinition" else each
        for each in kept
    ]


TASKS = st.lists(
    st.builds(
        Task,
        key=KEYS,
        wave=st.integers(-3, 3),
        phase=st.sampled_from(PHASES),
        prune=st.booleans(),
        prune_last=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: (each.phase, each.key),
).map(consistent)


@settings(deadline=None)
@given(TASKS, st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_input(tasks: list[Task], shuffle: random.Random) -> None:
    other = list(tasks)
    shuffle.shuffle(other)
    assert waves(tasks) == waves(other)
    assert deletion(tasks) == deletion(other)


@settings(deadline=None)
@given(TASKS)
def test_every_task_is_done_once_and_waves_rise(tasks: list[Task]) -> None:
    found = waves(tasks)
    done = [each for wave in found for each in wave.tasks]
    assert {(each.key, each.prune) for each in done} == {(each.key, each.prune) for each in tasks}
    assert len(done) == len(set(done)) <= len(tasks)
    numbers = [(PHASES.index(wave.phase), wave.number) for wave in found]
    assert numbers == sorted(set(numbers))
    assert all(each.prune for wave in found for step in wave.prunes for each in step)


@settings(deadline=None)
@given(TASKS)
def test_nothing_is_applied_before_its_namespace_or_definition(tasks: list[Task]) -> None:
    applied = [each for wave in waves(tasks) for each in wave.tasks if not each.prune]
    for place, each in enumerate(applied):
        for later in applied[place + 1 :]:
            assert not (
                later.key.kind == "Namespace" and later.key.name == each.key.namespace and later.phase == each.phase
            )
            is_definition = later.key.kind == "CustomResourceDefinition"
            assert not (is_definition and later.defines == (each.key.group, each.key.kind))
