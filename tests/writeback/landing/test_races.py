"""Twenty jobs at once on one branch: all land, in one line, none lost and none twice."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, Settings
from gitops_bot.model.writeback import Head, Landed
from gitops_bot.writeback.bumps.bump import BumpDoors, Nothing
from gitops_bot.writeback.bumps.bump import bump as real_bump
from gitops_bot.writeback.bumps.request import BumpRequest, ImageRequest, Source
from gitops_bot.writeback.landing.changes import Made, Make
from gitops_bot.writeback.landing.land import LandingDoors, land
from tests.github import faults
from tests.github.fake import FakeGitHub
from tests.github.state import Repository
from tests.writeback.landing.landings import Waits, bump, content, landing_doors, services, subjects

JOBS = 20


@pytest.fixture
def shop(github: FakeGitHub) -> Repository:
    return github.repository("shop/apps", services(JOBS))


def race(github: FakeGitHub, shop: Repository, folder: Path, mode: str, makers: Sequence[Make]) -> list[Landed]:
    """Every maker in a job of its own, with doors of its own; all have read the same head before the first writes."""
    return race_of(github, shop, folder, mode, [lambda _doors, make=make: make for make in makers])


def race_of(
    github: FakeGitHub, shop: Repository, folder: Path, mode: str, makers: Sequence[Callable[[LandingDoors], Make]]
) -> list[Landed]:
    """The same with makers that are made of the job's doors."""
    together = threading.Barrier(len(makers))

    def alike(make: Make) -> Make:
        first = True

        def waiting(head: Head) -> Made:
            nonlocal first
            made = make(head)
            if first:
                first = False
                together.wait(120)
            return made

        return waiting

    def job(number: int) -> Landed:
        chance = random.Random(number)
        wait = Waits(factor=0.1)
        folder_of_job = folder / f"job-{number}"
        api = mode != "push"
        with landing_doors(
            github, shop, folder_of_job, api=api, wait=wait, jitter=chance.random
        ) as doors:  # fmt: skip
            make = alike(makers[number](doors))
            return land(make, branch="main", mode=mode, doors=doors)  # type: ignore[arg-type]  # one of the modes

    with ThreadPoolExecutor(len(makers)) as pool:
        return list(pool.map(job, range(len(makers))))


def is_linear(shop: Repository, since: str) -> bool:
    return not shop.git.run("rev-list", "--merges", f"{since}..refs/heads/main")


@pytest.mark.parametrize("mode", ["api", "push"])
@pytest.mark.parametrize("faulty", [False, True], ids=["", "faulty"])
def test_twenty_bumps_of_twenty_services_all_land(github, shop, tmp_path, mode, faulty):
    before = shop.head()
    if faulty:
        path = "/graphql" if mode == "api" else "*/git-receive-pack"
        for nth in (3, 9, 17, 30):
            github.faults.add("POST", path, faults.dropped(after_write=nth % 2 == 1), nth=nth)
            github.faults.add("POST", path, faults.server_error(after_write=nth % 2 == 0), nth=nth + 2)
    landed = race(github, shop, tmp_path, mode, [bump(f"s{number}", 2) for number in range(JOBS)])
    assert sorted(subjects(shop, before)) == sorted(f"chore: update s{number} to 2" for number in range(JOBS))
    assert is_linear(shop, before)
    assert [one.mode for one in landed] == [mode] * JOBS
    assert {one.commit for one in landed} == set(shop.git.between(before, shop.head()))
    for number in range(JOBS):
        assert content(shop, f"s{number}") == f"# service {number}\nimage:\n  tag: 2   # keep\nreplicas: 2"


@pytest.mark.parametrize("mode", ["api", "push"])
def test_one_key_raced_ends_at_the_newest_and_never_goes_back(github, shop, tmp_path, mode):
    before = shop.head()
    tags = list(range(2, 12))
    random.Random(7).shuffle(tags)
    landed = race(github, shop, tmp_path, mode, [bump("s0", tag) for tag in tags])
    assert "tag: 11 " in content(shop, "s0")
    steps = [int(re.search(r"to (\d+)", line)[1]) for line in subjects(shop, before)]
    assert steps == sorted(set(steps))
    assert len([one for one in landed if one.mode == mode]) == len(steps)
    assert all(one.mode == "nothing" for one, tag in zip(landed, tags, strict=True) if tag not in steps)


def test_one_bump_in_ten_jobs_at_once_is_one_commit(github, shop, tmp_path):
    before = shop.head()
    landed = race(github, shop, tmp_path, "api", [bump("s0", 2)] * 10)
    assert subjects(shop, before) == ["chore: update s0 to 2"]
    assert sorted(one.mode for one in landed) == ["api", *["nothing"] * 9]


def test_pull_requests_raced_for_one_key_end_as_one_with_the_newest(github, shop, tmp_path):
    tags = [4, 7, 2, 6, 3, 5]
    landed = race(github, shop, tmp_path, "pull-request", [bump("s0", tag) for tag in tags])
    assert {one.pull for one in landed} == {1}
    pull = shop.pulls[1]
    assert (list(shop.pulls), pull.state, pull.title) == ([1], "open", "chore: update s0 to 7")
    assert subjects(shop, "main", pull.head_ref) == ["chore: update s0 to 7"]
    assert "tag: 7 " in content(shop, "s0", pull.head_ref)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("opened", [False, True], ids=["new", "open"])
def test_a_newer_one_that_lands_at_any_request_of_an_older_one_keeps_branch_and_words(
    github, shop, tmp_path, opened, after
):
    """The older run may be caught between its look at the branch and its words for the pull request."""
    requests = 0
    while True:
        service, requests = f"s{requests}", requests + 1
        raced = False

        def newer(service=service, requests=requests):
            nonlocal raced
            raced = True
            with landing_doors(github, shop, tmp_path / f"newer-{requests}") as doors:
                land(bump(service, 7), branch="main", mode="pull-request", doors=doors)

        if opened:
            with landing_doors(github, shop, tmp_path / f"first-{requests}") as doors:
                land(bump(service, 3), branch="main", mode="pull-request", doors=doors)
        github.faults.add("*", "/repos/*", faults.meanwhile(newer, after=after), nth=requests)
        with landing_doors(github, shop, tmp_path / f"older-{requests}") as doors:
            land(bump(service, 4), branch="main", mode="pull-request", doors=doors)
        github.faults.clear()
        if not raced:
            break
        pull = shop.pulls[max(shop.pulls)]
        assert (pull.state, pull.title) == ("open", f"chore: update {service} to 7"), requests
        assert "tag: 7 " in content(shop, service, pull.head_ref)
        assert re.search(rf"{service}\W.* 7", pull.body), pull.body
        assert f"Gitops-Bot-Image: {service}:7" in pull.body
    assert requests > 5


def test_one_pull_request_in_six_jobs_at_once_is_one_pull_request(github, shop, tmp_path):
    landed = race(github, shop, tmp_path, "pull-request", [bump("s0", 2)] * 6)
    assert {one.pull for one in landed} == {1}
    assert [pull.state for pull in shop.pulls.values()] == ["open"]
    assert subjects(shop, "main", shop.pulls[1].head_ref) == ["chore: update s0 to 2"]


def build(number: int, doors: LandingDoors) -> Make:
    """What a build of an image asks for whose tags tell nothing: only the builds' numbers do."""
    rule = ImageRule(repository="r/s0", write=(ImageWrite(file="apps/s0.yaml", path="image.tag"),))
    policy = Settings(images=(rule,), environments={"staging": Environment(branch="main")})
    request = BumpRequest(
        items=(ImageRequest(repository="r/s0", tag=f"build-{'zyxwvu'[number]}"),),
        source=Source(repository="shop/code", commit="a" * 40, run=100 + number),
    )

    def make(head: Head) -> Made:
        past = [each.message for each in doors.clone.log(head.commit, 50, merged=True)]
        outside = BumpDoors(now=datetime.now(UTC), past=lambda: past, ancestor=lambda _old, _new: None)
        found = real_bump(head, request, policy, outside)
        if isinstance(found, Nothing):
            return "newer" if found.kind == "older" else None
        return found

    return make


@pytest.mark.parametrize("mode", ["api", "pull-request"])
def test_builds_raced_end_at_the_newest(github, shop, tmp_path, mode):
    order = [3, 5, 1, 4, 2, 0]
    landed = race_of(
        github, shop, tmp_path, mode, [lambda doors, number=number: build(number, doors) for number in order]
    )
    branch = "main" if mode == "api" else shop.pulls[1].head_ref
    assert "tag: build-u " in content(shop, "s0", branch)
    if mode == "pull-request":
        assert {one.pull for one in landed} == {1}
        assert "build-u" in shop.pulls[1].body
