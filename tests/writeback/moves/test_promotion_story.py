"""The example on the fake GitHub: promoted to production by pull request and tag, rolled back, and held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from gitops_bot.doors.git import Repository as LocalRepository
from gitops_bot.doors.merge import merge_text
from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.model.writeback import Head, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.environments import branch_of
from gitops_bot.writeback.landing.land import LandingDoors, land
from gitops_bot.writeback.moves.gates import CommitState, Evidence, all_passed, judge
from gitops_bot.writeback.moves.history import State, previous_release
from gitops_bot.writeback.moves.promote import Nothing, Promotion, Scene, promote, route, tag_after_merge
from gitops_bot.writeback.moves.recorded import recorded
from gitops_bot.writeback.moves.rollback import (
    Rollback,
    RollbackRequest,
    RollbackScene,
    allowed_in,
    belongs_to,
    rollback,
)
from gitops_bot.writeback.moves.versions import NextTag, releases
from gitops_bot.writeback.refused import Refused
from tests.actions.churn import churn
from tests.github.fake import FakeGitHub
from tests.github.state import Repository
from tests.writeback.landing.landings import landing_doors

VALUES = "k8s/helm/churn-mlops/values-production.yaml"
NOW = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)


def shown(repository: Repository, revision: str, path: str = VALUES) -> str:
    return repository.git.run("show", f"{revision}:{path}")


def merged(github: FakeGitHub, repository: Repository, number: int) -> str:
    url = f"{github.url}/repos/{repository.full_name}/pulls/{number}/merge"
    answer = requests.put(url, json={}, headers={"Authorization": f"Bearer {github.tokens.app.value}"}, timeout=20)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["sha"])


def promotion(head: Head, doors: LandingDoors) -> Promotion | Nothing:
    settings = read_settings(head.tree)
    way = route(settings, "production")
    coming = Commits(commits=(CommitInfo(sha=head.commit, message="tip"),), total=1)
    scene = Scene(source=head.tree, source_commit=head.commit, now=NOW, tags=doors.clone.tags(), commits=coming)
    return promote(settings, way, head, scene)


def proposed(head: Head, doors: LandingDoors) -> Proposal | None:
    found = promotion(head, doors)
    return found.proposal if isinstance(found, Promotion) else None


def test_production_is_promoted_and_rolled_back(github: FakeGitHub, tmp_path: Path) -> None:
    repository = churn(github).repository
    first = shown(repository, "main")
    with landing_doors(github, repository, tmp_path / "doors") as doors:
        # A pull request that copies staging's values; a rerun changes nothing.
        landed = land(lambda head: proposed(head, doors), branch="main", mode="pull-request", doors=doors)
        assert landed.pull is not None
        writes = len(github.writes())
        again = land(lambda head: proposed(head, doors), branch="main", mode="pull-request", doors=doors)
        assert (again.pull, len(github.writes())) == (landed.pull, writes)
        assert shown(repository, "main") == first
        pull = repository.pull(landed.pull)
        assert (pull.title, pull.base_ref) == ("chore: promote staging to production (v1.0.1)", "main")

        # Its merge is tagged once, with the next tag.
        told = recorded(repository.git.run("log", "-1", "--format=%B", pull.head_sha))
        assert told is not None
        merge = merged(github, repository, landed.pull)
        settings = read_settings(doors.clone.head("main").tree)
        tag = tag_after_merge(
            settings, told.target, merge, level=told.level, tags=doors.clone.tags(), announced=told.tag
        )
        assert isinstance(tag, NextTag)
        assert doors.github is not None
        doors.github.refs.create_tag(tag.name, merge)
        assert "tag: sha-4be81c0" in shown(repository, "v1.0.1")
        assert isinstance(tag_after_merge(settings, told.target, merge, level=None, tags=doors.clone.tags()), Nothing)
        assert isinstance(promotion(doors.clone.head("main"), doors), Nothing)

        # The release was wrong: undone on main, by the next patch tag.
        back = land(
            lambda head: undone(head, doors, repository),
            branch=branch_of(settings, "production"),
            mode="api",
            doors=doors,
        )
        assert shown(repository, "main") == first
        told = recorded(repository.git.run("log", "-1", "--format=%B", "main"))
        assert told is not None
        tag = tag_after_merge(
            settings, told.target, back.commit, level=told.level, tags=doors.clone.tags(), announced=told.tag
        )
        assert isinstance(tag, NextTag)
        assert tag.name == told.tag == "v1.0.2"
        doors.github.refs.create_tag(tag.name, back.commit)
        assert shown(repository, "v1.0.2") == first

        # And it stays undone, until somebody says otherwise.
        with pytest.raises(
            Refused, match=r"ghcr\.io/acme/churn-api sha-4be81c0 is held in production by ada until it is released"
        ):
            land(lambda head: proposed(head, doors), branch="main", mode="pull-request", doors=doors)


def undone(head: Head, doors: LandingDoors, repository: Repository) -> Proposal | None:
    settings = read_settings(head.tree)
    with LocalRepository(str(repository.path)) as git:
        belongs = belongs_to(settings, "production", head.tree)
        allowed = allowed_in(settings, "production", head.tree, NOW)
        tags = doors.clone.tags()
        states = [
            State(CommitInfo(sha=each.commit, message=""), git.tree(each.commit), each.name)
            for each in reversed(releases(tags, "v*.*.*"))
        ]
        change = previous_release(states, belongs, allowed)
        ask = RollbackRequest(environment="production", by="ada", why="latency doubled")
        found = rollback(settings, ask, head, change, RollbackScene(now=NOW, merge=merge_text, tags=tags))
    assert isinstance(found, Rollback)
    return found.proposal


def test_gates_read_what_the_fake_says_of_the_agent(github: FakeGitHub, tmp_path: Path) -> None:
    repository = churn(github).repository
    with landing_doors(github, repository, tmp_path / "doors") as doors:
        assert doors.github is not None
        head = doors.clone.head("main")
        policy = read_settings(head.tree).promotion["production"]
        base = f"{github.url}/repos/{repository.full_name}"
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {github.tokens.app.value}"

        def gates(later: timedelta = timedelta()) -> dict[str, str]:
            writing = doors.github
            assert writing is not None
            line = CommitState(
                sha=head.commit,
                statuses=tuple(writing.verdicts.statuses(head.commit)),
                checks=tuple(writing.verdicts.checks(head.commit)),
            )
            deployments = tuple(writing.deployments.newest("staging"))
            evidence = Evidence(
                environment="staging",
                line=(line,),
                deployments=deployments,
                same=lambda commit: commit == head.commit,
                now=datetime.fromisoformat(github.state.now()) + later,
            )
            found = judge(policy, evidence)
            assert all_passed(found) == all(gate.state == "passed" for gate in found)
            return {gate.name: gate.state for gate in found}

        assert gates() == {"status ci": "waiting", "healthy": "waiting", "soak": "waiting"}
        session.post(
            f"{base}/statuses/{head.commit}", json={"state": "success", "context": "ci"}, timeout=20
        ).raise_for_status()
        asked = {
            "ref": head.commit,
            "environment": "staging",
            "task": "gitops-bot",
            "auto_merge": False,
            "required_contexts": [],
        }
        made = session.post(f"{base}/deployments", json=asked, timeout=20)
        made.raise_for_status()
        number = made.json()["id"]
        assert gates() == {"status ci": "passed", "healthy": "waiting", "soak": "waiting"}
        session.post(f"{base}/deployments/{number}/statuses", json={"state": "success"}, timeout=20).raise_for_status()
        assert gates() == {"status ci": "passed", "healthy": "passed", "soak": "waiting"}
        assert gates(timedelta(minutes=31)) == {"status ci": "passed", "healthy": "passed", "soak": "passed"}
        session.post(
            f"{base}/deployments/{number}/statuses", json={"state": "failure", "description": "0 of 2"}, timeout=20
        ).raise_for_status()
        assert gates(timedelta(minutes=31)) == {"status ci": "passed", "healthy": "failed", "soak": "waiting"}
