"""A target that moved is one target; one that is gone is gone."""

from __future__ import annotations

from gitops_bot.model.application import Source
from gitops_bot.model.target import Kind, Target
from gitops_bot.render.prepared import InputFile, Prepared
from gitops_bot.render.trace import Reads
from gitops_bot.render.workshop import Preparation
from gitops_bot.review.pairs import pair


def side(*made: tuple[str, str, Kind, str]) -> dict[str, Preparation]:
    """Preparations by id, from (id, name, kind, object ids of the inputs, one letter each)."""
    return {
        identity: Preparation(
            target=Target(id=identity, name=name, file=identity, kind=kind, sources=(Source(path="x"),)),
            sources=(
                Prepared(renderer="helm", files=tuple(InputFile(path=oid, oid=oid) for oid in inputs)),
            ),
            reads=Reads({}, {}),
        )
        for identity, name, kind, inputs in made
    }  # fmt: skip


def shown(base: dict[str, Preparation], head: dict[str, Preparation]) -> list[tuple[str | None, str | None]]:
    return [
        (one.base.target.id if one.base else None, one.head.target.id if one.head else None) for one in pair(base, head)
    ]


def test_the_same_id_is_the_same_target_whatever_changed() -> None:
    assert shown(side(("a", "x", "Helm", "abc")), side(("a", "y", "Kustomize", "def"))) == [("a", "a")]


def test_an_application_in_another_file_is_told_by_its_name() -> None:
    base = side(("old.yaml#web", "web", "Application", "a"), ("old.yaml#api", "api", "Application", "b"))
    head = side(("new.yaml#api", "api", "Application", "x"), ("new.yaml#web", "web", "Application", "y"))
    assert shown(base, head) == [("old.yaml#api", "new.yaml#api"), ("old.yaml#web", "new.yaml#web")]


def test_a_name_that_is_there_twice_says_nothing() -> None:
    base = side(("a#web", "web", "Application", "ab"), ("b#web", "web", "Application", "cd"))
    head = side(("c#web", "web", "Application", "cde"), ("d#web", "web", "Application", "xyz"))
    assert shown(base, head) == [("a#web", None), ("b#web", "c#web"), (None, "d#web")]


def test_a_folder_that_moved_is_told_by_its_files() -> None:
    base = side(("kustomize:apps/web", "apps/web", "Kustomize", "abcd"))
    head = side(("kustomize:clusters/web", "clusters/web", "Kustomize", "abce"))
    (one,) = pair(base, head)
    assert one.moved_from == "kustomize:apps/web"


def test_targets_with_little_in_common_are_removed_and_added() -> None:
    base = side(("kustomize:a", "a", "Kustomize", "abcd"))
    head = side(("kustomize:b", "b", "Kustomize", "axyz"), ("helm:a", "a", "Helm", "abcd"))
    assert shown(base, head) == [(None, "helm:a"), ("kustomize:a", None), (None, "kustomize:b")]


def test_the_best_match_wins_and_each_target_is_used_once() -> None:
    base = side(("kustomize:1", "1", "Kustomize", "abcd"), ("kustomize:2", "2", "Kustomize", "abce"))
    head = side(("kustomize:3", "3", "Kustomize", "abce"))
    assert shown(base, head) == [("kustomize:1", None), ("kustomize:2", "kustomize:3")]
