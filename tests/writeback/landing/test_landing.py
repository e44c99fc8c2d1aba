"""From a proposal to Git: commits by the API, pull requests, pushes; what is refused and why; nothing twice."""

from __future__ import annotations

import contextlib
import math
import re
import subprocess

import pytest

from gitops_bot.doors.github.errors import AccessDenied
from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.model.writeback import FileChange, Head, Proposal
from gitops_bot.writeback.landing.changes import Make
from gitops_bot.writeback.landing.commit_message import topic_of, trailers_of
from gitops_bot.writeback.landing.land import ATTEMPTS, land
from gitops_bot.writeback.landing.pull_request import open_between
from gitops_bot.writeback.landing.topics import branch_of, marker_of
from tests.github import faults
from tests.github.fake import FakeGitHub
from tests.github.state import Repository
from tests.writeback.landing.landings import Waits, bump, content, landing_doors, services, subjects

GRAPHQL = "/graphql"
PUSHED = "*/git-receive-pack"


@pytest.fixture
def shop(github: FakeGitHub) -> Repository:
    return github.repository("shop/apps", services(3))


@pytest.fixture
def doors(github, shop, tmp_path):
    with landing_doors(github, shop, tmp_path / "run") as made:
        yield made


def mutations(github: FakeGitHub) -> int:
    return sum(one.path == GRAPHQL for one in github.writes())


# -- a commit by the API ----------------------------------------------------------------------------------------------


def test_a_proposal_becomes_one_commit_that_explains_itself(github, shop, doors):
    before = shop.head()
    landed = land(bump("s0", 2), branch="main", mode="auto", doors=doors)
    assert (landed.mode, landed.commit, landed.pull) == ("api", shop.head(), None)
    assert landed.url.endswith(f"/shop/apps/commit/{landed.commit}")
    assert subjects(shop, before) == ["chore: update s0 to 2"]
    assert content(shop, "s0") == "# service 0\nimage:\n  tag: 2   # keep\nreplicas: 2"
    message = shop.git.commit(shop.head()).message
    assert message == (
        "chore: update s0 to 2\n\ns0: 1 -> 2\n\nGitops-Bot-Image: s0:2\nGitops-Bot-Topic: bump/staging/s0"
    )
    assert trailers_of(message) == (("Gitops-Bot-Image", "s0:2"), ("Gitops-Bot-Topic", "bump/staging/s0"))
    assert shop.git.commit(shop.head()).committer.name == "GitHub", "GitHub makes and signs it"


@pytest.mark.parametrize("mode", ["auto", "api", "push", "pull-request"])
def test_the_same_event_twice_makes_no_second_write(github, shop, tmp_path, mode):
    for run in range(2):
        with landing_doors(github, shop, tmp_path / str(run)) as doors:
            first = land(bump("s0", 2), branch="main", mode=mode, doors=doors)
        if run == 0:
            refs, writes = shop.git.refs(), len(github.writes())
            pushes = [one for one in github.requests if one.path.endswith("git-receive-pack")]
    assert shop.git.refs() == refs
    assert len(github.writes()) == writes
    assert [one for one in github.requests if one.path.endswith("git-receive-pack")] == pushes
    assert len(shop.pulls) == (mode == "pull-request")
    assert first.mode == ("pull-request" if mode == "pull-request" else "nothing")


def test_files_that_are_so_already_are_left_out_and_nothing_left_is_nothing(github, shop, doors):
    head = doors.clone.head("main")
    same = FileChange(path="apps/s1.yaml", content=head.tree.read("apps/s1.yaml"))
    gone = FileChange(path="apps/never.yaml", content=None)
    nothing = land(
        lambda _: Proposal(files=(same, gone), subject="x", topic="t"), branch="main", mode="api", doors=doors
    )
    assert (nothing.mode, nothing.commit, github.writes()) == ("nothing", "", [])
    new = FileChange(path="new.yaml", content=b"")
    land(lambda _: Proposal(files=(new, same, gone), subject="x", topic="t"), branch="main", mode="api", doors=doors)
    assert [one.path for one in shop.git.files("refs/heads/main^", "refs/heads/main")] == ["new.yaml"]


def test_a_moved_head_is_read_again_and_the_proposal_made_again(github, shop, doors):
    seen = []

    def make(head):
        seen.append(head.commit)
        if len(seen) < 4:
            shop.commit({f"other-{len(seen)}": "x\n"})
        return bump("s0", 2)(head)

    before = shop.head()
    landed = land(make, branch="main", mode="api", doors=doors)
    assert (len(set(seen)), landed.commit) == (4, shop.head())
    assert subjects(shop, before) == ["change", "change", "change", "chore: update s0 to 2"]
    assert mutations(github) == 4


def test_a_neighbouring_line_of_the_same_file_is_kept(github, shop, doors):
    raced = False

    def make(head):
        nonlocal raced
        made = bump("s0", 2)(head)
        if not raced:
            raced = True
            shop.commit({"apps/s0.yaml": content(shop, "s0").replace("replicas: 2", "replicas: 9") + "\n"})
        return made

    land(make, branch="main", mode="api", doors=doors)
    assert content(shop, "s0") == "# service 0\nimage:\n  tag: 2   # keep\nreplicas: 9"


def test_a_branch_that_never_stands_still_is_given_up_and_nothing_is_forced(github, shop, doors):
    commits = []

    def make(head):
        commits.append(shop.commit({"other": f"{len(commits)}\n"}))
        return bump("s0", 2)(head)

    with pytest.raises(Rejected) as caught:
        land(make, branch="main", mode="api", doors=doors)
    assert (caught.value.kind, caught.value.exit_code) == ("moved", 6)
    assert "one after the other" in caught.value.hint
    assert (len(commits), shop.head()) == (ATTEMPTS, commits[-1])


@pytest.mark.parametrize("fault", [faults.dropped, faults.server_error], ids=["dropped", "502"])
@pytest.mark.parametrize("others", [0, 3])
def test_an_answer_lost_after_the_commit_was_made_is_no_second_commit(github, shop, doors, fault, others):
    def after():
        for number in range(others):
            shop.commit({f"other-{number}": "x\n"})

    def lost(request, proceed):
        answer = fault(after_write=True)(request, proceed)
        after()
        return answer

    before = shop.head()
    github.faults.add("POST", GRAPHQL, lost)
    landed = land(bump("s0", 2), branch="main", mode="api", doors=doors)
    assert subjects(shop, before) == ["chore: update s0 to 2", *["change"] * others]
    assert landed.commit == shop.git.between(before, shop.head())[0]
    assert landed.url.endswith(landed.commit)
    assert mutations(github) == 1


def test_a_commit_that_was_not_made_is_sent_again(github, shop, doors):
    before = shop.head()
    github.faults.add("POST", GRAPHQL, faults.dropped(), times=2)
    assert land(bump("s0", 2), branch="main", mode="api", doors=doors).commit == shop.head()
    assert subjects(shop, before) == ["chore: update s0 to 2"]


def test_a_commit_that_is_made_only_after_it_was_looked_for_is_still_found(github, shop, doors):
    """The first request hangs at GitHub, is looked for in vain, and is done just before the second arrives."""
    held = []

    def done_at_last():
        held.pop()()

    def hangs(request, proceed):
        held.append(proceed)
        return faults.dropped()(request, proceed)

    github.faults.add("POST", GRAPHQL, faults.meanwhile(done_at_last), nth=2)
    github.faults.add("POST", GRAPHQL, hangs)
    before = shop.head()
    landed = land(bump("s0", 2), branch="main", mode="api", doors=doors)
    assert held == []
    assert (landed.mode, landed.commit) == ("api", shop.head())
    assert subjects(shop, before) == ["chore: update s0 to 2"]


def test_github_away_for_good_is_an_error_and_the_next_run_completes(github, shop, tmp_path):
    github.faults.add("POST", GRAPHQL, faults.server_error(), times=math.inf)
    with landing_doors(github, shop, tmp_path / "one") as doors, pytest.raises(GitHubError) as caught:
        land(bump("s0", 2), branch="main", mode="api", doors=doors)
    assert caught.value.exit_code == 6
    github.faults.clear()
    with landing_doors(github, shop, tmp_path / "two") as doors:
        assert land(bump("s0", 2), branch="main", mode="api", doors=doors).commit == shop.head()


@pytest.mark.parametrize("lost", [False, True], ids=["heard", "lost"])
def test_modes_and_links_are_made_of_gits_objects(github, shop, doors, lost):
    files = (
        FileChange(path="link", content=b"apps/s0.yaml", mode="120000"),
        FileChange(path="run.sh", content=b"#!/bin/sh\n\xff", mode="100755"),
        FileChange(path="apps/s2.yaml", content=None),
    )
    if lost:
        github.faults.add("PATCH", "*/git/refs/*", faults.dropped(after_write=True))
    before = shop.head()
    landed = land(lambda _: Proposal(files=files, subject="modes", topic="t"), branch="main", mode="api", doors=doors)
    assert landed.commit == shop.head()
    assert subjects(shop, before) == ["modes"]
    entries = {one.path: one.mode for one in shop.git.entries(shop.head(), recursive=True) if one.type == "blob"}
    assert entries == {
        "apps/s0.yaml": "100644", "apps/s1.yaml": "100644", "link": "120000", "run.sh": "100755",
    }  # fmt: skip
    assert mutations(github) == 0


def test_an_executable_file_stays_one(github, shop, doors):
    shop.git.update("refs/heads/main", shop.git.write_commit(
        shop.git.write_tree("main", [("apps/s0.yaml", "100755", shop.git.write_blob(b"tag: 1\n"))]), [shop.head()], "x"
    ))  # fmt: skip
    land(bump("s0", 2, mode="100755"), branch="main", mode="api", doors=doors)
    entry = next(one for one in shop.git.entries("main", recursive=True) if one.path == "apps/s0.yaml")
    assert (entry.mode, content(shop, "s0")) == ("100755", "tag: 2")


def test_gits_objects_land_only_forwards(github, shop, doors):
    seen = []

    def make(head):
        seen.append(head.commit)
        if len(seen) == 1:
            shop.commit({"other": "x\n"})
        return Proposal(
            files=(FileChange(path="run.sh", content=b"x", mode="100755"),), subject="modes", topic="t"
        )  # fmt: skip

    before = shop.head()
    land(make, branch="main", mode="api", doors=doors)
    assert (len(seen), subjects(shop, before)) == (2, ["change", "modes"])


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_auto_takes_the_way_of_a_pull_request_where_the_branch_takes_no_commit(github, shop, doors):
    shop.protect("main")
    before = shop.head()
    landed = land(bump("s0", 2), branch="main", mode="auto", doors=doors)
    assert (landed.mode, landed.pull, shop.head()) == ("pull-request", 1, before)
    assert "protected" in landed.notes[0]
    assert shop.pulls[1].title == "chore: update s0 to 2"


def test_a_protected_branch_is_explained_where_the_way_was_chosen(github, shop, doors):
    shop.protect("main")
    for mode in ("api", "push"):
        with pytest.raises(Rejected) as caught:
            land(bump("s0", 2), branch="main", mode=mode, doors=doors)
        assert (caught.value.kind, caught.value.exit_code) == ("protected", 6)
        assert "pull-request" in caught.value.hint
    assert shop.pulls == {}


def test_unsigned_pushes_are_explained(github, shop, doors):
    shop.sign_only("main")
    with pytest.raises(Rejected) as caught:
        land(bump("s0", 2), branch="main", mode="push", doors=doors)
    assert caught.value.kind == "signatures"
    assert "commit.mode: api" in caught.value.hint
    assert land(bump("s0", 2), branch="main", mode="api", doors=doors).commit == shop.head()


@pytest.mark.parametrize("mode", ["api", "push"])
def test_workflow_files_are_explained(github, shop, doors, mode):
    shop.no_workflows()
    change = FileChange(path=".github/workflows/ci.yaml", content=b"on: push\n")
    with pytest.raises(Rejected) as caught:
        land(lambda _: Proposal(files=(change,), subject="ci", topic="t"), branch="main", mode=mode, doors=doors)
    assert caught.value.kind == "workflows"
    assert "workflows: write" in caught.value.hint


@pytest.mark.parametrize("mode", ["auto", "pull-request"])
def test_a_token_that_may_not_write_is_explained(github, shop, tmp_path, mode):
    with (
        landing_doors(github, shop, tmp_path / "run", token=github.tokens.read_only.value) as doors,
        pytest.raises(AccessDenied) as caught,
    ):
        land(bump("s0", 2), branch="main", mode=mode, doors=doors)
    assert "contents: write" in caught.value.hint
    assert caught.value.exit_code == 6


def test_a_push_that_may_not_write_is_explained(github, shop, tmp_path):
    value = github.tokens.read_only.value
    with (
        landing_doors(github, shop, tmp_path / "run", token=value, api=False) as doors,
        pytest.raises(Rejected) as caught,
    ):
        land(bump("s0", 2), branch="main", mode="auto", doors=doors)
    assert caught.value.kind == "access"
    assert value not in caught.value.told


def test_a_branch_that_is_not_there_and_a_way_without_a_door(github, shop, tmp_path):
    with landing_doors(github, shop, tmp_path / "run", api=False) as doors:
        with pytest.raises(UsageError, match="no branch nowhere"):
            land(bump("s0", 2), branch="nowhere", mode="auto", doors=doors)
        with pytest.raises(UsageError, match="needs GitHub's API"):
            land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)


# -- pull requests ----------------------------------------------------------------------------------------------------


def test_a_pull_request_is_one_commit_on_a_branch_named_by_its_topic(github, shop, doors):
    landed = land(bump("s0", 2, labels=("gitops-bot",)), branch="main", mode="pull-request", doors=doors)
    pull = shop.pulls[1]
    assert (landed.mode, landed.pull, landed.commit) == ("pull-request", 1, pull.head_sha)
    assert landed.url.endswith("/shop/apps/pull/1")
    assert (pull.head_ref, pull.base_ref) == ("gitops-bot/bump--staging--s0", "main")
    assert pull.labels == ["gitops-bot"]
    assert marker_of(pull.body).key == "bump/staging/s0"
    trailers = "Gitops-Bot-Image: s0:2\nGitops-Bot-Topic: bump/staging/s0"
    assert pull.body.partition("\n")[2] == f"**s0** goes to 2.\n\n<!--\n{trailers}\n-->\n"
    assert subjects(shop, "main", pull.head_ref) == ["chore: update s0 to 2"]
    assert landed.notes == ()


def test_a_rerun_updates_the_pull_request_from_the_bases_newest_state(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    shop.commit({"other": "x\n"})
    landed = land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
    pull = shop.pulls[1]
    assert (landed.pull, list(shop.pulls), pull.title) == (1, [1], "chore: update s0 to 3")
    assert "goes to 3" in pull.body
    assert shop.git.commit(pull.head_sha).parents == (shop.head(),)
    assert content(shop, "s0", pull.head_ref).splitlines()[2] == "  tag: 3   # keep"


def test_the_base_moving_elsewhere_is_no_reason_to_write(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    writes, head = len(github.writes()), shop.pulls[1].head_sha
    shop.commit({"other": "x\n"})
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    assert (len(github.writes()), shop.pulls[1].head_sha) == (writes, head)


def test_an_older_build_that_comes_late_does_not_take_a_pull_request_back(github, shop, doors):
    land(bump("s0", 5), branch="main", mode="pull-request", doors=doors)
    writes, head = len(github.writes()), shop.pulls[1].head_sha
    late = land(bump("s0", 4), branch="main", mode="pull-request", doors=doors)
    assert (late.mode, late.pull, late.notes) == ("nothing", 1, ("#1 proposes something newer already",))
    assert (len(github.writes()), shop.pulls[1].head_sha) == (writes, head)
    shop.pulls[1].state = "closed"
    assert land(bump("s0", 4), branch="main", mode="pull-request", doors=doors).pull == 2
    assert content(shop, "s0", shop.pulls[2].head_ref).splitlines()[2] == "  tag: 4   # keep"


def test_the_same_change_is_made_anew_where_the_base_changed_the_same_file(github, shop, doors):
    land(bump("s0", 5), branch="main", mode="pull-request", doors=doors)
    shop.commit({"apps/s0.yaml": content(shop, "s0").replace("replicas: 2", "replicas: 9") + "\n"})
    land(bump("s0", 5), branch="main", mode="pull-request", doors=doors)
    pull = shop.pulls[1]
    assert content(shop, "s0", pull.head_ref) == "# service 0\nimage:\n  tag: 5   # keep\nreplicas: 9"
    assert pull.mergeable


def every(tag: int) -> Make:
    """A maker that sets the tag in every file that has another, wherever it is; a switch in the base leaves some out."""

    def make(head: Head) -> Proposal | None:
        left = head.tree.read("left-out").decode() if "left-out" in head.tree else "-"
        files = []
        for path in sorted(head.tree.entries):
            if path.startswith("apps/") and path != left:
                after = re.sub(rb"tag: \d+", f"tag: {tag}".encode(), head.tree.read(path))
                if after != head.tree.read(path):
                    files.append(FileChange(path=path, content=after))
        return Proposal(files=tuple(files), subject=f"chore: all to {tag}", topic="all") if files else None

    return make


def rerun(github, shop, doors, *, tag: int = 5) -> bool:
    """Run again; whether anything was written. Afterwards the pull request can be merged and does what is wanted."""
    writes = len(github.writes())
    landed = land(every(tag), branch="main", mode="pull-request", doors=doors, topic="all")
    assert landed.pull == 1
    pull = shop.pulls[1]
    assert pull.mergeable
    head = doors.clone.head("main")
    merged = shop.git.merge(shop.head(), pull.head_sha)
    assert merged == doors.clone.changed(head.commit, every(tag)(head).files)
    again = len(github.writes())
    land(every(tag), branch="main", mode="pull-request", doors=doors, topic="all")
    assert len(github.writes()) == again
    return again > writes


def test_a_pull_request_that_conflicts_beside_its_values_is_rebuilt(github, shop, doors):
    land(every(5), branch="main", mode="pull-request", doors=doors)
    taken = content(shop, "s0").replace("tag: 1 ", "tag: 5 ").replace("replicas: 2", "replicas: 9")
    shop.commit({"apps/s0.yaml": f"{taken}\n"})
    assert not shop.pulls[1].mergeable
    assert rerun(github, shop, doors)
    assert content(shop, "s0", shop.pulls[1].head_ref) == taken


def test_a_pull_request_whose_file_was_renamed_on_the_base_is_rebuilt(github, shop, doors):
    land(every(5), branch="main", mode="pull-request", doors=doors)
    shop.commit({"apps/s0.yaml": None, "apps/zero.yaml": f"{content(shop, 's0')}\n"})
    assert rerun(github, shop, doors)
    assert content(shop, "zero", shop.pulls[1].head_ref).splitlines()[2] == "  tag: 5   # keep"


def test_a_pull_request_some_of_whose_values_the_base_has_taken_is_left_alone(github, shop, doors):
    land(every(5), branch="main", mode="pull-request", doors=doors)
    shop.commit({"apps/s0.yaml": content(shop, "s0").replace("tag: 1 ", "tag: 5 ") + "\n"})
    assert not rerun(github, shop, doors)


def test_a_pull_request_that_would_do_more_than_is_wanted_now_is_rebuilt(github, shop, doors):
    land(every(5), branch="main", mode="pull-request", doors=doors)
    shop.commit({"left-out": "apps/s1.yaml"})
    assert shop.pulls[1].mergeable
    assert rerun(github, shop, doors)
    assert "tag: 1 " in content(shop, "s1", shop.pulls[1].head_ref)


def test_a_pull_request_all_of_whose_values_the_base_has_taken_is_closed(github, shop, doors):
    land(every(5), branch="main", mode="pull-request", doors=doors)
    shop.commit({f"apps/s{number}.yaml": "tag: 5\n" for number in range(3)})
    assert not shop.pulls[1].mergeable
    landed = land(every(5), branch="main", mode="pull-request", doors=doors, topic="all")
    assert (landed.mode, landed.notes) == ("nothing", ("#1 was closed: the branch has its change, or something newer",))
    assert (
        shop.pulls[1].body.split("\n")[1] == "> **Closed by gitops-bot:** the branch has its change, or something newer"
    )


def test_what_was_closed_by_ourselves_may_be_proposed_again(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    before = content(shop, "s0")
    shop.commit({"apps/s0.yaml": before.replace("tag: 1 ", "tag: 2 ") + "\n"})
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors, topic="bump/staging/s0")
    assert shop.pulls[1].state == "closed"
    shop.commit({"apps/s0.yaml": f"{before}\n"})
    landed = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    assert (landed.mode, landed.pull) == ("pull-request", 2)


@pytest.mark.parametrize("mode", ["api", "pull-request"])
def test_an_older_change_on_the_branch_leaves_a_newer_proposal_open(github, shop, doors, mode):
    land(bump("s0", 5), branch="main", mode="pull-request", doors=doors)
    landed = land(bump("s0", 3), branch="main", mode="api", doors=doors)
    assert landed.notes == ("#1 stays open: it proposes something newer",)
    late = land(bump("s0", 2), branch="main", mode=mode, doors=doors, topic="bump/staging/s0")
    assert (late.mode, late.notes, shop.pulls[1].state) == ("nothing", landed.notes, "open")
    assert not shop.pulls[1].mergeable
    land(bump("s0", 5), branch="main", mode="pull-request", doors=doors)
    assert shop.pulls[1].mergeable


def test_somebody_elses_commit_on_our_branch_is_not_overwritten(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    name = shop.pulls[1].head_ref
    theirs = shop.commit({"fix": "x\n"}, name, message="by hand")
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    with pytest.raises(Rejected) as caught:
        land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
    assert (shop.head(name), caught.value.kind) == (theirs, "other")
    assert "merge or close" in caught.value.hint


def test_the_base_merged_into_our_branch_by_its_button_does_not_stop_a_rerun(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    shop.commit({"other": "x\n"})
    pull = shop.pulls[1]
    tree = shop.git.merge(pull.head_sha, shop.head())
    merged = shop.git.write_commit(tree, [pull.head_sha, shop.head()], "Merge branch 'main'")
    shop.git.update(f"refs/heads/{pull.head_ref}", merged)
    land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
    assert content(shop, "s0", pull.head_ref).splitlines()[2] == "  tag: 3   # keep"


def test_a_pull_request_that_was_closed_by_hand_is_not_opened_again_for_the_same(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    shop.pulls[1].state = "closed"
    again = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    assert (again.mode, again.pull, list(shop.pulls)) == ("nothing", 1, [1])
    assert "reopen" in again.notes[0]
    newer = land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
    assert (newer.mode, newer.pull) == ("pull-request", 2)


def test_what_was_closed_by_hand_does_not_come_back_with_other_words(github, shop, doors):
    land(bump("s0", 2, body="healthy for 5m\n"), branch="main", mode="pull-request", doors=doors)
    shop.pulls[1].state = "closed"
    shop.commit({"apps/s0.yaml": content(shop, "s0") + "\n# a note\n"})
    again = land(bump("s0", 2, body="healthy for 9m\n"), branch="main", mode="pull-request", doors=doors)
    assert (again.mode, again.pull, list(shop.pulls)) == ("nothing", 1, [1])
    assert "reopen" in again.notes[0]


@pytest.mark.parametrize("mode", ["api", "pull-request"])
def test_somebody_elses_commits_are_not_deleted_with_our_branch(github, shop, doors, mode):
    land(bump("s0", 2, topic="bump/staging/s0/2"), branch="main", mode="pull-request", doors=doors)
    name = shop.pulls[1].head_ref
    theirs = shop.commit({"fix": "x\n"}, name, message="by hand")
    landed = land(bump("s0", 3), branch="main", mode=mode, doors=doors)
    assert shop.pulls[1].state == "closed"
    assert shop.head(name) == theirs
    assert landed.notes[-1].endswith("; its branch stays, because somebody else committed on it")


def test_pull_requests_that_are_of_no_use_any_more_are_closed(github, shop, doors):
    land(bump("s0", 2, topic="bump/staging/s0/2"), branch="main", mode="pull-request", doors=doors)
    land(bump("s1", 2), branch="main", mode="pull-request", doors=doors)
    landed = land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
    assert [(one.number, one.state) for one in shop.pulls.values()] == [(1, "closed"), (2, "open"), (3, "open")]
    assert landed.notes == ("#1 was closed: #3 stands for it now",)
    assert branch_of("bump/staging/s0/2") not in shop.git.refs()

    direct = land(bump("s0", 3), branch="main", mode="api", doors=doors)
    assert direct.notes == ("#3 was closed: the branch has its change, or something newer",)
    assert (shop.pulls[3].state, shop.pulls[2].state) == ("closed", "open")
    assert f"refs/heads/{shop.pulls[3].head_ref}" not in shop.git.refs()


def test_a_pull_request_whose_change_the_branch_has_is_closed_by_the_next_run(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    shop.commit({"apps/s0.yaml": "tag: 5\n"})
    landed = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors, topic="bump/staging/s0")
    assert (landed.mode, shop.pulls[1].state) == ("nothing", "closed")


def test_the_limits_of_a_workflows_own_token_are_told_once_something_was_written(github, shop, tmp_path):
    with landing_doors(github, shop, tmp_path / "run", token=github.tokens.actions.value) as doors:
        first = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
        again = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
        direct = land(bump("s1", 2), branch="main", mode="api", doors=doors)
    assert "wait until somebody approves" in first.notes[0]
    assert again.notes == ()
    assert "starts no workflows" in direct.notes[0]


def test_an_organisation_that_forbids_pull_requests_by_workflows_is_explained(github, shop, doors):
    words = "GitHub Actions is not permitted to create or approve pull requests."
    github.faults.add("POST", "/repos/*/pulls", faults.refused(403, words))
    with pytest.raises(AccessDenied) as caught:
        land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    assert "Allow GitHub Actions to create and approve" in caught.value.hint
    landed = land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    assert (landed.pull, subjects(shop, "main", shop.pulls[1].head_ref)) == (1, ["chore: update s0 to 2"])


def test_a_body_too_long_for_github_is_cut_where_nothing_is_left_open(github, shop, doors):
    part = "<details><summary>diff</summary>\n\n```diff\n+ a\n\n- b\n```\n\n</details>\n\n"
    land(bump("s0", 2, body=part * 2000), branch="main", mode="pull-request", doors=doors)
    body = shop.pulls[1].body
    assert 60_000 < len(body) <= 65_536
    assert body.count("<details>") == body.count("</details>")
    assert body.count("```") % 2 == 0
    assert "no longer text._\n\n<!--\nGitops-Bot-Image" in body


class Killed(BaseException):
    """The job ends here."""


def dying(function, at, after):
    """The function, whose ``at``-th call ends the job: before it does anything, or after all."""
    calls = 0

    def call(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == at and after:
            function(*arguments, **named)
        if calls == at:
            raise Killed
        return function(*arguments, **named)

    return call


@pytest.mark.parametrize("at", range(1, 12))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("mode", ["api", "push", "pull-request"])
def test_killed_at_any_request_git_is_before_or_after_and_the_next_run_completes(
    github, shop, tmp_path, mode, at, after
):
    with landing_doors(github, shop, tmp_path / "one") as doors:
        if mode == "push":
            doors.clone._history.run = dying(doors.clone._history.run, at + 4, after)
        else:
            caller = doors.github.commits._github._caller
            caller._send = dying(caller._send, at, after)
        with contextlib.suppress(Killed):
            land(bump("s0", 2, labels=("x",)), branch="main", mode=mode, doors=doors)
    before = services(1)["apps/s0.yaml"].strip()
    states = (before, before.replace("tag: 1", "tag: 2"))
    assert all(content(shop, "s0", name.removeprefix("refs/heads/")) in states for name in shop.git.refs())
    with landing_doors(github, shop, tmp_path / "two") as doors:
        land(bump("s0", 2, labels=("x",)), branch="main", mode=mode, doors=doors)
    done = shop.pulls[1].head_ref if mode == "pull-request" else "main"
    assert (len(shop.pulls), content(shop, "s0", done)) == (mode == "pull-request", states[1])
    assert mode != "pull-request" or shop.pulls[1].labels == ["x"]
    assert shop.git.run("rev-list", "--count", f"refs/heads/{done}") == "2"


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("mode", ["api", "pull-request"])
def test_killed_before_what_is_of_no_use_was_closed_the_next_run_closes_it(github, shop, tmp_path, mode, at, after):
    with landing_doors(github, shop, tmp_path / "zero") as doors:
        land(bump("s0", 2, topic="bump/staging/s0/2"), branch="main", mode="pull-request", doors=doors)
        land(bump("s0", 3), branch="main", mode="pull-request", doors=doors)
        shop.pulls[1].state = "open"
        shop.commit({"x": "x\n"}, shop.pulls[1].head_ref, start="main")
        before = shop.head()
    with landing_doors(github, shop, tmp_path / "one") as doors:
        caller = doors.github.commits._github._caller
        caller._send = dying(caller._send, at, after)
        with contextlib.suppress(Killed):
            land(bump("s0", 4), branch="main", mode=mode, doors=doors, topic="bump/staging/s0")
    with landing_doors(github, shop, tmp_path / "two") as doors:
        land(bump("s0", 4), branch="main", mode=mode, doors=doors, topic="bump/staging/s0")
    states = [(pull.number, pull.state) for pull in shop.pulls.values()]
    if mode == "api":
        assert states == [(1, "closed"), (2, "closed")]
        assert subjects(shop, before) == ["chore: update s0 to 4"]
    else:
        assert states == [(1, "closed"), (2, "open")]
        assert shop.pulls[2].title == "chore: update s0 to 4"


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
def test_what_fails_after_the_commit_is_made_is_a_note_and_the_next_run_completes(github, shop, tmp_path, method):
    with landing_doors(github, shop, tmp_path / "one") as doors:
        land(bump("s0", 2), branch="main", mode="pull-request", doors=doors)
    with landing_doors(github, shop, tmp_path / "two") as doors:

        def broken():
            github.faults.add(
                method, "*", faults.refused(403, "Resource not accessible by integration"), times=math.inf
            )

        github.faults.add("POST", GRAPHQL, faults.meanwhile(broken, after=True))
        landed = land(bump("s0", 3), branch="main", mode="api", doors=doors)
    assert (landed.mode, landed.commit) == ("api", shop.head())
    assert landed.notes
    github.faults.clear()
    with landing_doors(github, shop, tmp_path / "three") as doors:
        land(bump("s0", 3), branch="main", mode="api", doors=doors, topic="bump/staging/s0")
    assert shop.pulls[1].state == "closed"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_lost_answer_of_a_pull_request_leaves_one_pull_request(github, shop, doors, method, after):
    """Each write in turn is lost once, of making it and of updating it."""
    for tag in range(2, 9):
        github.faults.clear()
        github.faults.add(method, "*", faults.dropped(after_write=after), nth=tag - 1)
        landed = land(bump("s0", tag, labels=(f"l{tag}",)), branch="main", mode="pull-request", doors=doors)
        pull = shop.pulls[1]
        assert (list(shop.pulls), landed.pull, pull.title) == ([1], 1, f"chore: update s0 to {tag}")
        assert subjects(shop, "main", pull.head_ref) == [f"chore: update s0 to {tag}"]
        assert pull.labels[-1] == f"l{tag}"


def test_one_branch_is_proposed_to_another_once(github, shop, doors):
    def propose(body):
        return open_between("develop", "main", topic="promote/staging", title="chore: promote", body=body,
                            github=doors.github, labels=("promotion",))  # fmt: skip

    shop.git.update("refs/heads/develop", shop.head())
    assert (propose("first\n").mode, shop.pulls) == ("nothing", {})
    tip = shop.commit({"x": "1\n"}, "develop")
    landed = propose("first\n")
    assert (landed.mode, landed.pull, landed.commit) == ("pull-request", 1, tip)
    writes = len(github.writes())
    assert propose("first\n").pull == 1
    assert len(github.writes()) == writes
    propose("second\n")
    pull = shop.pulls[1]
    assert (list(shop.pulls), pull.body.partition("\n")[2], pull.labels) == ([1], "second\n", ["promotion"])
    assert (pull.head_ref, pull.base_ref) == ("develop", "main")


def test_a_merge_that_was_closed_by_hand_comes_back_with_something_new(github, shop, doors):
    shop.commit({"x": "1\n"}, "develop", start="main")

    def again(body):
        return open_between(
            "develop", "main", topic="promote/staging", title="t", body=body, github=doors.github
        )  # fmt: skip

    assert again("a\n").pull == 1
    shop.pulls[1].state = "closed"
    turned_down = again("b\n")
    assert (turned_down.mode, turned_down.pull, list(shop.pulls)) == ("nothing", 1, [1])
    shop.commit({"x": "2\n"}, "develop")
    assert again("b\n").pull == 2


def test_a_pull_request_that_somebody_opened_between_the_branches_keeps_its_words(github, shop, doors):
    github.open_pull(shop, "develop", files={"x": "1\n"}, title="by hand", author="ada")
    landed = open_between("develop", "main", topic="t", title="ours", body="", github=doors.github)
    assert (landed.pull, shop.pulls[1].title) == (1, "by hand")
    assert "opened by hand" in landed.notes[0]


# -- by git push ------------------------------------------------------------------------------------------------------


def test_a_push_is_one_commit_by_its_author_and_leaves_the_checkout_alone(github, shop, tmp_path):
    here = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{shop.path}", here], check=True)
    state = [path for path in here.rglob("*") if path.is_file()]
    before = shop.head()
    with landing_doors(github, shop, tmp_path / "run", api=False, checkout=str(here)) as doors:
        landed = land(bump("s0", 2), branch="main", mode="auto", doors=doors)
    commit = shop.git.commit(shop.head())
    assert (landed.mode, landed.commit, commit.author.name) == ("push", shop.head(), "gitops-bot")
    assert topic_of(commit.message) == "bump/staging/s0"
    assert subjects(shop, before) == ["chore: update s0 to 2"]
    assert [path for path in here.rglob("*") if path.is_file()] == state
    assert github.writes() == []


@pytest.mark.parametrize("others", [0, 2])
def test_a_push_whose_answer_is_lost_is_not_done_twice(github, shop, doors, others):
    def lost(request, proceed):
        return faults.dropped(after_write=True)(request, proceed)

    def moved(request, proceed):
        for number in range(others):
            shop.commit({f"other-{number}": "x\n"})
        return proceed()

    before = shop.head()
    github.faults.add("GET", "*/info/refs", moved, nth=4)
    github.faults.add("POST", PUSHED, lost)
    landed = land(bump("s0", 2), branch="main", mode="push", doors=doors)
    assert subjects(shop, before)[0] == "chore: update s0 to 2"
    assert subjects(shop, before).count("chore: update s0 to 2") == 1
    assert landed.commit == shop.git.between(before, shop.head())[0]


def test_a_push_that_did_not_arrive_is_sent_again(github, shop, doors):
    before = shop.head()
    github.faults.add("POST", PUSHED, faults.dropped(), times=2)
    assert land(bump("s0", 2), branch="main", mode="push", doors=doors).commit == shop.head()
    assert subjects(shop, before) == ["chore: update s0 to 2"]


def test_fifty_rounds_of_our_own_commits_fed_back_make_none(github, shop, doors):
    land(bump("s0", 2), branch="main", mode="api", doors=doors)
    head, writes = shop.head(), len(github.writes())
    for _ in range(50):
        assert land(bump("s0", 2), branch="main", mode="api", doors=doors).mode == "nothing"
    assert (shop.head(), len(github.writes())) == (head, writes)


def test_waiting_between_lost_races_is_spread_and_bounded(github, shop, tmp_path):
    waits = Waits()
    with landing_doors(github, shop, tmp_path / "run", wait=waits, jitter=lambda: 0.999) as doors:

        def make(head):
            if len(waits.all) < 30:
                shop.commit({"other": f"{len(waits.all)}\n"})
            return bump("s0", 2)(head)

        land(make, branch="main", mode="push", doors=doors)
    assert waits.all[:5] == pytest.approx([0.4995, 0.999, 1.998, 3.996, 7.992])
    assert max(waits.all) < 8
