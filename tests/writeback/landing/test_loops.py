"""Our own commits come back as events, by every way in which GitHub merges: they make no other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gitops_bot.actions.activity import BranchPushed, WorkflowFinished
from gitops_bot.actions.bump import calls_for_nothing
from gitops_bot.actions.event import activity
from gitops_bot.writeback.landing.land import land
from tests.actions import payloads
from tests.github.fake import FakeGitHub
from tests.github.state import Pull, Repository
from tests.writeback.landing.landings import bump, content, landing_doors, services

WAYS = [
    pytest.param("merge", {}, id="merge"),
    pytest.param("squash", {}, id="squash"),
    pytest.param("squash", {"squash_message": "PR_BODY"}, id="squash-with-the-description"),
    pytest.param("rebase", {}, id="rebase"),
]
TITLED = pytest.param("merge", {"merge_title": "PR_TITLE"}, id="merge-called-by-the-title")


@pytest.fixture
def shop(github: FakeGitHub) -> Repository:
    return github.repository("shop/apps", services(3))


@pytest.fixture
def doors(github, shop, tmp_path):
    with landing_doors(github, shop, tmp_path / "run") as made:
        yield made


def merge(github: FakeGitHub, shop: Repository, pull: Pull, way: str, **settings: str) -> None:
    """Merge as a person does by the button."""
    for name, value in settings.items():
        setattr(shop, name, value)
    github.merge(shop, pull, way)


def pushed(shop: Repository, before: str) -> dict[str, Any]:
    """The event of what was pushed to main since a commit."""
    commits = [{"id": sha, "message": shop.git.commit(sha).message} for sha in shop.git.between(before, shop.head())]
    return {**payloads.push("refs/heads/main", before, shop.head()), "commits": commits}


def finished(shop: Repository) -> dict[str, Any]:
    """The event of a workflow that ran for main's tip."""
    event = payloads.workflow_run()
    event["workflow_run"]["head_commit"] = {"id": shop.head(), "message": shop.git.commit(shop.head()).message}
    return event


def of_push(event: dict[str, Any]) -> BranchPushed:
    found = activity("push", event, "")
    assert isinstance(found, BranchPushed)
    return found


@pytest.mark.parametrize(("way", "settings"), [*WAYS, TITLED])
@pytest.mark.parametrize("updated", [False, True], ids=["", "updated"])
def test_a_merge_of_ours_is_ours(github, shop, doors, way, settings, updated):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    if updated:
        # By the button "Update branch".
        pull, tip = shop.pulls[1], shop.commit({"other": "x\n"})
        tree = shop.git.merge(pull.head_sha, tip)
        words = f"Merge branch 'main' into {pull.head_ref}"
        shop.git.update(f"refs/heads/{pull.head_ref}", shop.git.write_commit(tree, [pull.head_sha, tip], words))
        shop.refresh()
    before = shop.head()
    merge(github, shop, shop.pulls[1], way, **settings)
    assert content(shop, "s0").splitlines()[2] == "  tag: 2   # keep"
    found = of_push(pushed(shop, before))
    assert found.ours
    assert "gitops-bot itself" in calls_for_nothing(found)
    run = activity("workflow_run", finished(shop), "")
    assert isinstance(run, WorkflowFinished)
    assert run.ours is ("merge_title" not in settings), "of a merge that only bears a title nothing tells whose it is"


@pytest.mark.parametrize(("way", "settings"), [*WAYS, TITLED])
def test_a_merge_of_somebody_elses_work_is_not(github, shop, way, settings):
    before = shop.head()
    pull = github.open_pull(shop, "feature", files={"code": "1\n"}, title="feat: more")
    merge(github, shop, pull, way, **settings)
    assert not of_push(pushed(shop, before)).ours


@pytest.mark.parametrize(("way", "settings"), [*WAYS, TITLED])
def test_somebody_elses_commit_among_ours_is_not_hidden_by_them(github, shop, doors, way, settings):
    """Development, with bumps of ours in it, goes into main as one pull request."""
    shop.git.update("refs/heads/develop", shop.head())
    land(bump("s0", 2), branch="develop", mode="api", doors=doors)
    shop.commit({"code": "1\n"}, "develop", "feat: more")
    land(bump("s1", 2), branch="develop", mode="api", doors=doors)
    before = shop.head()
    merge(github, shop, github.open_pull(shop, "develop", title="chore: promote develop"), way, **settings)
    assert not of_push(pushed(shop, before)).ours


def test_a_queue_of_merges_of_ours_is_ours(github, shop, doors):
    """A merge queue makes the same commits, and pushes those of a group together."""
    for way in ("merge", "squash", "rebase"):
        before = shop.head()
        for number in range(3):
            land(bump(f"s{number}", {"merge": 2, "squash": 3, "rebase": 4}[way]), branch="main", mode="pull-request",
                 doors=doors)  # fmt: skip
        for pull in [pull for pull in shop.pulls.values() if pull.state == "open"]:
            merge(github, shop, pull, way)
        assert of_push(pushed(shop, before)).ours
        shop.commit({"code": f"{way}\n"}, message="feat: more (#99)")
        assert not of_push(pushed(shop, before)).ours


def test_fifty_rounds_over_all_ways_make_nothing_but_what_was_asked_for(github, shop, tmp_path):
    ways = itertools.cycle([("api", {}), *(tuple(way.values) for way in [*WAYS, TITLED])])
    for tag in range(2, 52):
        before, (way, settings) = shop.head(), next(ways)
        mode = "api" if way == "api" else "pull-request"
        with landing_doors(github, shop, tmp_path / f"run-{tag}") as doors:
            landed = land(bump("s0", tag), branch="main", mode=mode, doors=doors, topic="bump/staging/s0")
        if landed.pull is not None:
            merge(github, shop, shop.pulls[landed.pull], way, **{"merge_title": "MERGE_MESSAGE", **settings})
            shop.squash_message = "COMMIT_MESSAGES"
        head, writes = shop.head(), len(github.writes())
        assert calls_for_nothing(of_push(pushed(shop, before))), (way, settings)
        with landing_doors(github, shop, tmp_path / f"again-{tag}") as doors:
            back = land(bump("s0", tag), branch="main", mode=mode, doors=doors, topic="bump/staging/s0")
        assert (back.mode, back.notes) == ("nothing", ())
        assert (shop.head(), len(github.writes())) == (head, writes)
    assert f"tag: {tag} " in content(shop, "s0")
