"""What is written to GitHub and read for promotions, on the fake: commits, references, pull requests, verdicts."""

from __future__ import annotations

import pytest

from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.auth import Token
from gitops_bot.doors.github.commits import WRITING
from gitops_bot.doors.github.errors import AccessDenied, NotFound
from gitops_bot.doors.github.writing import writing
from gitops_bot.doors.rejection import Rejected, kind_of
from gitops_bot.errors import GitHubError
from gitops_bot.model.writeback import FileChange
from tests.github import faults
from tests.github.clients import client
from tests.writeback.landing.landings import Waits


@pytest.fixture
def shop(github):
    return github.repository("shop/apps", {"a.yaml": "a: 1\n"})


def door_of(github, token=None, **named):
    waits = Waits()
    door = GitHub(
        api_url=named.pop("api_url", github.url), repository="shop/apps", auth=Token((token or github.tokens.app).value),
        patience=WRITING, wait=waits, clock=waits.clock, jitter=lambda: 0.5, **named,
    )  # fmt: skip
    return writing(door)


@pytest.fixture
def door(github, shop):
    return door_of(github)


# -- refusals in words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('Expected branch to point to "6a3e" but it did not. Pull and try again.', "moved"),
        ("! [rejected] main -> main (fetch first)", "moved"),
        ("! [rejected] main -> main (non-fast-forward)", "moved"),
        ("! [rejected] main -> main (stale info)", "moved"),
        ("! [remote rejected] main (incorrect old value provided)", "moved"),
        ("error: cannot lock ref 'refs/heads/main': is at 1a but expected 2b", "moved"),
        ("! [remote rejected] main -> main (failed to update ref)", "moved"),
        ("Update is not a fast forward", "moved"),
        ("Reference already exists", "moved"),
        ("cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'", "name"),
        ("remote: error: GH006: Protected branch update failed for refs/heads/main.", "protected"),
        ("! [remote rejected] main -> main (protected branch hook declined)", "protected"),
        ("Repository rule violations found\n\nChanges must be made through a pull request.", "protected"),
        ("GH013: Repository rule violations found for refs/heads/main. - Required status check \"ci\" is expected.", "protected"),
        ("GH013: Repository rule violations found. - Commits must have verified signatures. Found 1 violation", "signatures"),
        ("GH013: violations. - Changes must be made through a pull request. - Commits must have verified signatures.", "protected"),
        ("GH013: Repository rule violations found. - Push cannot contain secrets", "secrets"),
        ("refusing to allow a GitHub App to create or update workflow `.github/workflows/x.yml` without `workflows` permission", "workflows"),
        ("refusing to allow an OAuth App to create or update workflow `x.yml` without `workflow` scope", "workflows"),
        ("refusing to allow a Personal Access Token to create or update workflow `x.yml` without `workflow` scope", "workflows"),
        ("GH001: Large files detected.", "size"),
        ("remote: Permission to acme/shop.git denied to ada.", "access"),
        ("remote: Write access to repository not granted.", "access"),
        ("ERROR: The key you are authenticating with has been marked as read only.", "access"),
        ("Host key verification failed.", "access"),
        ("Resource not accessible by integration", "access"),
        ("something that nobody has seen before", None),
        ("GitHub answered 502", None),
    ],
)  # fmt: skip
def test_a_refusal_is_known_by_its_words(said, kind):
    assert kind_of(said) == kind


def test_our_own_words_do_not_decide(github, shop, door):
    """A branch may be called like a refusal."""
    shop.commit({"b": "1\n"}, "protected-branch", start="main")
    github.faults.add("POST", "/graphql", faults.refused(400, "nothing known"))
    with pytest.raises(GitHubError) as caught:
        door.commits.on_branch(
            "protected-branch", shop.head("protected-branch"), "x", "", [FileChange(path="c", content=b"")]
        )
    assert not isinstance(caught.value, Rejected)


# -- commits ----------------------------------------------------------------------------------------------------------


def test_a_commit_on_a_branch_writes_deletes_and_keeps_bytes(github, shop, door):
    content = bytes(range(256))
    files = [FileChange(path="b/ä.bin", content=content), FileChange(path="a.yaml", content=None)]
    made = door.commits.on_branch("main", shop.head(), "headline", "body\n\nx: y", files)
    assert made.oid == shop.head()
    assert shop.git.commit(made.oid).message == "headline\n\nbody\n\nx: y"
    assert [one.path for one in shop.git.entries(made.oid, recursive=True) if one.type == "blob"] == ["b/ä.bin"]
    assert shop.git.blob(shop.git.run("rev-parse", f"{made.oid}:b/ä.bin")) == content


def test_a_stale_head_is_refused_as_moved(shop, door):
    old = shop.head()
    shop.commit({"b": "1\n"})
    with pytest.raises(Rejected) as caught:
        door.commits.on_branch("main", old, "x", "", [FileChange(path="c", content=b"")])
    assert caught.value.kind == "moved"


def test_another_runs_commit_on_the_same_parent_is_not_taken_for_ours(github, shop, door):
    old = shop.head()
    github.faults.add("POST", "/graphql", faults.meanwhile(lambda: shop.commit({"b": "1\n"}, message="theirs")), nth=2)
    github.faults.add("POST", "/graphql", faults.dropped())
    with pytest.raises(Rejected) as caught:
        door.commits.on_branch("main", old, "ours", "", [FileChange(path="c", content=b"")])
    assert caught.value.kind == "moved"


def test_on_enterprise_commits_go_to_its_graphql(github, shop):
    door = door_of(github, api_url=github.enterprise_url)
    made = door.commits.on_branch("main", shop.head(), "x", "", [FileChange(path="c", content=b"")])
    assert made.oid == shop.head()


def test_what_another_revision_has_newest_first_in_pages(github, shop, door):
    shop.git.update("refs/tags/v1", shop.head())
    made = [shop.commit({"a.yaml": f"a: {number}\n"}, message=f"change {number}\n\nwhy") for number in range(120)]
    compared = door.commits.compare("v1", "main")
    assert (compared.total, [one.sha for one in compared.commits]) == (120, made[::-1])
    assert (compared.commits[0].subject, compared.commits[0].parents) == ("change 119", (made[-2],))
    assert compared.url.endswith("/compare/v1...main")
    assert compared.commits[0].url.endswith(made[-1])
    assert compared.commits[0].committed_at.utcoffset().total_seconds() == 0
    assert not compared.commits[0].own_login
    assert compared.commits[0].paths is None
    assert door.commits.compare("main", "v1").commits == ()
    with pytest.raises(NotFound):
        door.commits.compare("v1", "nowhere")
    assert door.commits.commit("v1").subject == "first"
    assert door.commits.on("main", made[3])
    assert not door.commits.on("v1", made[3])


def test_who_made_a_commit_and_what_it_changes(github, shop, door):
    shop.commit({"b": "1\n" * 9, "c": "1\n"})
    door.commits.on_branch("main", shop.head(), "x", "", [FileChange(path="a.yaml", content=b"a: 2\n")])
    made = door.commits.commit("main")
    assert (made.own_login, made.author, made.paths) == (True, "gitops-bot[bot]", ("a.yaml",))
    for by, signed in (("gitops-bot[bot]", False), ("ada", True), ("", True)):
        shop.commit({"b": None, "d": "1\n" * 9} if by == "ada" else {"c": by}, by=by, signed=signed)
        assert not door.commits.commit("main").own_login
        if by == "ada":
            assert door.commits.commit("main").paths == ("b", "d")  # it moved
    shop.commit({f"many/{number}": "1\n" for number in range(300)})
    assert door.commits.commit("main").paths is None


# -- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_tag_is_made_once_whatever_is_lost(github, shop, door, after):
    github.faults.add("POST", "*/git/refs", faults.server_error(after_write=after))
    door.refs.create_tag("v1.2.3", shop.head())
    door.refs.create_tag("v1.2.3", shop.head())
    assert shop.git.refs("refs/tags/") == {"refs/tags/v1.2.3": shop.head()}


def test_a_tag_is_never_moved(shop, door):
    door.refs.create_tag("v1.2.3", shop.head())
    old = shop.head()
    with pytest.raises(Rejected, match="another commit's already") as caught:
        door.refs.create_tag("v1.2.3", shop.commit({"b": "1\n"}))
    assert "next version" in caught.value.hint
    assert shop.git.refs("refs/tags/") == {"refs/tags/v1.2.3": old}


def test_references_move_only_from_where_they_were_read(shop, door):
    first = shop.head()
    second = shop.commit({"b": "1\n"}, "ours", start="main")
    third = shop.commit({"b": "2\n"}, "ours")
    for act in (
        lambda: door.refs.replace("refs/heads/ours", second, first),
        lambda: door.refs.delete("refs/heads/ours", second),
        lambda: door.refs.advance("refs/heads/ours", second),
        lambda: door.refs.create("refs/heads/ours", second),
    ):
        with pytest.raises(Rejected) as caught:
            act()
        assert (caught.value.kind, shop.head("ours")) == ("moved", third)
    door.refs.replace("refs/heads/ours", third, first)
    door.refs.advance("refs/heads/ours", second)
    assert (shop.head("ours"), door.refs.get("refs/heads/ours")) == (second, second)
    door.refs.delete("refs/heads/ours", second)
    assert door.refs.get("refs/heads/ours") == ""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_reference_replaced_or_deleted_on_a_broken_line_is_so_once(github, shop, door, after):
    first, second = shop.head(), shop.commit({"b": "1\n"}, "ours", start="main")
    github.faults.add("POST", "/graphql", faults.dropped(after_write=after), nth=2)
    door.refs.replace("refs/heads/ours", second, first)
    github.faults.add("POST", "/graphql", faults.dropped(after_write=after))
    door.refs.delete("refs/heads/ours", first)
    assert "refs/heads/ours" not in shop.git.refs()


# -- statuses and checks ----------------------------------------------------------------------------------------------


def test_the_newest_status_of_each_context(github, shop, door):
    commit = client(github).get_repo("shop/apps").get_commit(shop.head())
    commit.create_status("pending", "", "begun", "ci")
    commit.create_status("success", "https://ci.example.org/1", "done", "ci")
    commit.create_status("failure", "", "", "a/b")
    found = door.verdicts.statuses(shop.head())
    assert [(one.context, one.state, one.description, one.url) for one in found] == [
        ("a/b", "failure", "", ""), ("ci", "success", "done", "https://ci.example.org/1"),
    ]  # fmt: skip
    assert found[1].updated_at.utcoffset().total_seconds() == 0


def test_a_report_is_one_check_run_brought_up_to_date(github, shop, door):
    assert door.verdicts.report(shop.head(), "gitops-bot/promotion", "pending", title="waits", summary="x") == "check"
    door.verdicts.report(shop.head(), "gitops-bot/promotion", "failure", title="frozen", summary="until Monday")
    found = door.verdicts.checks(shop.head())
    assert [(one.name, one.status, one.conclusion, one.title, one.app) for one in found] == [
        ("gitops-bot/promotion", "completed", "failure", "frozen", "gitops-bot")
    ]
    door.verdicts.report(shop.head(), "gitops-bot/promotion", "success", title="y" * 300, summary="z" * 70_000)
    assert [one.conclusion for one in door.verdicts.checks(shop.head())] == ["success"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_check_run_whose_answer_is_lost_is_no_second_one(github, shop, door, after):
    github.faults.add("POST", "*/check-runs", faults.dropped(after_write=after))
    door.verdicts.report(shop.head(), "gates", "success", title="open", summary="all of them")
    assert [one["conclusion"] for one in shop.check_runs.values()] == ["success"]


def test_a_token_that_is_no_apps_reports_by_status_and_says_it_once(github, shop):
    door = door_of(github, github.tokens.pat)
    for _ in range(2):
        made = door.verdicts.report(
            shop.head(), "gates", "neutral", title="t" * 200, summary="s", url="https://x.example.org"
        )
    assert made == "status"
    assert [(one["state"], len(one["description"])) for one in shop.statuses[shop.head()]] == [("success", 140)]


# -- deployments ------------------------------------------------------------------------------------------------------


def test_deployments_of_the_agent_newest_first_with_all_their_statuses(github, shop, door):
    repo = client(github).get_repo("shop/apps")
    first = shop.head()

    def deploy(environment, task, *states):
        made = repo.create_deployment(
            "main", auto_merge=False, required_contexts=[], environment=environment, task=task
        )
        for state in states:
            made.create_status(state, description="why")

    deploy("staging", "gitops-bot", "queued", "in_progress", "success")
    deploy("staging", "deploy", "success")
    deploy("production", "gitops-bot", "success")
    second = shop.commit({"b": "1\n"})
    deploy("staging", "gitops-bot", "failure")
    found = list(door.deployments.newest("staging"))
    assert [one.commit for one in found] == [second, first]
    assert [each.state for each in found[0].statuses] == ["failure"]
    assert [each.state for each in found[1].statuses][-3:] == ["success", "in_progress", "queued"]
    assert [one.commit for one in door.deployments.newest("staging", commit=first)] == [first]
    assert len(list(door.deployments.newest("staging", most=1))) == 1
    assert list(door.deployments.newest("nowhere")) == []


# -- people and comments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "permission", "writes"),
    [("admin", "admin", True), ("maintain", "write", True), ("write", "write", True), ("triage", "read", False),
     ("read", "read", False), ("none", "none", False), ("custom", "none", False)],
)  # fmt: skip
def test_what_somebody_may_do(github, shop, door, role, permission, writes):
    github.state.account("ada")
    shop.permissions["ada"] = role
    assert (door.people.permission("ada"), door.people.may_write("ada")) == (permission, writes)


def test_strangers_and_nobody_may_not_write(github, shop, door):
    assert door.people.permission("nobody-there") == "none"
    assert not door.people.may_write("")
    github.faults.add("GET", "*/permission", faults.refused(403, "Resource not accessible by integration"))
    with pytest.raises(AccessDenied):
        door.people.may_write("ada")


def test_a_reaction_is_given_once(github, shop, door):
    github.open_pull(shop, "topic", files={"b": "1\n"})
    comment = github.comment(1, "/gitops help")
    github.faults.add("POST", "*/reactions", faults.dropped(after_write=True))
    door.people.react(comment.id, "eyes")
    door.people.react(comment.id, "eyes")
    assert [one["content"] for one in comment.reactions] == ["eyes"]
