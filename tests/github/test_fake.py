"""The fake GitHub, driven by PyGithub; the outside judges look at every exchange."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, GithubException, GithubIntegration, InputGitTreeElement

from tests.github.clients import client, status_of
from tests.github.fake import FakeGitHub
from tests.github.git import NOBODY
from tests.github.state import Pull, Repository


def another_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shape = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, shape, serialization.NoEncryption()).decode()


# -- comments and pulls ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enterprise", [False, True], ids=["github.com", "enterprise"])
def test_a_comment_lives_and_dies(github: FakeGitHub, shop: Repository, pull: Pull, enterprise: bool) -> None:
    repo = client(github, base=github.enterprise_url if enterprise else "").get_repo("shop/apps")
    found = repo.get_pull(pull.number)
    assert (found.head.sha, found.changed_files, found.mergeable) == (pull.head_sha, 1, True)

    comment = found.create_issue_comment("first")
    assert [(one.body, one.login) for one in github.comments(pull.number)] == [("first", "github-actions[bot]")]
    comment.edit("second")
    comment.minimize()
    assert [(one.body, one.edits, one.minimized) for one in github.comments(pull.number)] == [("second", 1, "OUTDATED")]
    comment.create_reaction("rocket")
    assert [one.content for one in comment.get_reactions()] == ["rocket"]
    assert found.get_issue_comment(comment.id).body == "second"
    comment.delete()
    assert github.comments(pull.number) == []
    assert [(event["event"], event["action"]) for event in github.events[-3:]] == [
        ("issue_comment", "created"), ("issue_comment", "edited"), ("issue_comment", "deleted"),
    ]  # fmt: skip


def test_comments_come_in_pages_that_are_linked_by_the_repository_s_id(
    github: FakeGitHub, shop: Repository, pull: Pull
) -> None:
    for number in range(250):
        github.comment(pull.number, f"comment {number}")
    before = len(github.requests)
    found = list(client(github).get_repo("shop/apps").get_pull(pull.number).get_issue_comments())
    assert [one.body for one in found] == [f"comment {number}" for number in range(250)]
    paths = [one.path for one in github.requests[before:] if one.path.endswith("/comments")]
    assert paths == ["/repos/shop/apps/issues/1/comments", *[f"/repositories/{shop.id}/issues/1/comments"] * 2]


def test_a_comment_longer_than_github_takes_is_refused_in_its_words(
    github: FakeGitHub, shop: Repository, pull: Pull
) -> None:
    found = client(github).get_repo("shop/apps").get_pull(pull.number)
    found.create_issue_comment("ä" * 65_536)
    with pytest.raises(GithubException) as caught:
        found.create_issue_comment("ä" * 65_537)
    assert caught.value.status == 422
    assert caught.value.data["errors"][0]["message"] == "Body is too long (maximum is 65536 characters)"
    assert len(github.comments(pull.number)) == 1


def test_pulls_are_found_by_head_and_follow_their_branches(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    forked = github.open_pull(shop, "more", files={"b.yaml": "b: 1\n"}, from_fork="stranger")
    repo = client(github).get_repo("shop/apps")
    assert [one.number for one in repo.get_pulls(head="stranger:more")] == [forked.number]
    assert [one.number for one in repo.get_pulls(head="shop:more")] == [pull.number]
    assert repo.get_pull(forked.number).head.repo.full_name == "stranger/apps"

    sha = forked.head_repository.commit({"b.yaml": "b: 2\n"}, "more")
    assert repo.get_pull(forked.number).head.sha == sha
    assert shop.git.refs("refs/pull/")["refs/pull/2/head"] == sha
    assert github.events[-1] == {
        "event": "pull_request", "action": "synchronize", "repository": "shop/apps", "number": 2, "after": sha,
    }  # fmt: skip

    shop.commit({"apps/web.yaml": "replicas: 9\n"}, "main")
    assert repo.get_pull(pull.number).mergeable is False
    repo.get_pull(pull.number).edit(state="closed")
    assert [one.number for one in repo.get_pulls()] == [forked.number]


def test_a_pull_request_is_opened_labelled_and_merged(github: FakeGitHub, shop: Repository) -> None:
    repo = client(github).get_repo("shop/apps")
    shop.commit({"new.yaml": "a: 1\n"}, "promote", start="main")
    pull = repo.create_pull(base="main", head="promote", title="Promote", body="all of it")
    assert status_of(lambda: repo.create_pull(base="main", head="promote", title="Again"))[0] == 422
    pull.add_to_labels("gitops-bot")
    assert [label.name for label in pull.get_labels()] == ["gitops-bot"]
    assert [file.filename for file in pull.get_files()] == ["new.yaml"]
    assert [commit.sha for commit in pull.get_commits()] == [shop.head("promote")]
    assert status_of(lambda: pull.merge(sha=NOBODY))[0] == 409
    assert pull.merge().merged
    assert repo.get_pull(pull.number).merged
    assert repo.get_contents("new.yaml").decoded_content == b"a: 1\n"


# -- commits and what is said of them ----------------------------------------------------------------------------------


def test_commits_branches_and_comparisons_are_those_of_git(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    repo = client(github).get_repo("shop/apps")
    assert [one.name for one in repo.get_branches()] == ["main", "more"]
    assert repo.get_branch("main").commit.sha == shop.head("main")
    assert status_of(lambda: repo.get_branch("none")) == (404, "Branch not found")
    commit = repo.get_commit(pull.head_sha)
    assert [(file.filename, file.additions, file.deletions) for file in commit.files] == [("apps/web.yaml", 1, 1)]
    assert [one.sha for one in repo.get_commits(sha="more")] == [pull.head_sha, shop.head("main")]
    compared = repo.compare("main", "more")
    assert (compared.status, compared.ahead_by, compared.merge_base_commit.sha) == ("ahead", 1, shop.head("main"))
    assert compared.files[0].patch == "@@ -1 +1 @@\n-replicas: 1\n+replicas: 2"
    assert [one.name for one in repo.get_contents("apps")] == ["web.yaml"]


def test_a_file_is_written_only_over_the_one_that_was_read(github: FakeGitHub, shop: Repository) -> None:
    repo = client(github).get_repo("shop/apps")
    old = repo.get_contents("apps/web.yaml")
    repo.update_file("apps/web.yaml", "more", "replicas: 3\n", old.sha)
    assert repo.get_contents("apps/web.yaml").decoded_content == b"replicas: 3\n"
    assert status_of(lambda: repo.update_file("apps/web.yaml", "again", "replicas: 4\n", old.sha))[0] == 409
    repo.create_file("new.yaml", "new", "a: 1\n")
    assert shop.git.commit(shop.head()).message == "new"


def test_a_commit_is_made_of_blobs_and_trees_and_a_ref_moves_forwards_only(
    github: FakeGitHub, shop: Repository
) -> None:
    repo = client(github, github.tokens.app).get_repo("shop/apps")
    head = repo.get_git_ref("heads/main").object.sha
    blob = repo.create_git_blob(base64.b64encode(b"#!/bin/sh\n").decode(), "base64")
    tree = repo.create_git_tree(
        [InputGitTreeElement("run.sh", "100755", "blob", sha=blob.sha), InputGitTreeElement("README.md", "100644", "blob", sha=None)],
        base_tree=repo.get_git_tree(head),
    )  # fmt: skip
    commit = repo.create_git_commit("make it run", tree, [repo.get_git_commit(head)])
    assert commit.verification.verified
    ref = repo.create_git_ref("refs/heads/run", commit.sha)
    assert [(one.path, one.mode) for one in repo.get_git_tree("run", recursive=True).tree if one.type == "blob"] == [
        ("apps/web.yaml", "100644"), ("run.sh", "100755"),
    ]  # fmt: skip
    assert repo.get_git_blob(blob.sha).size == 10
    assert status_of(lambda: repo.create_git_ref("refs/heads/run", head)) == (422, "Reference already exists")
    assert status_of(lambda: ref.edit(head)) == (422, "Update is not a fast forward")
    ref.edit(head, force=True)
    assert shop.head("run") == head
    ref.delete()
    assert "refs/heads/run" not in shop.git.refs()
    shop.protect("main")
    assert status_of(lambda: repo.get_git_ref("heads/main").edit(commit.sha))[0] == 422


def test_statuses_and_check_runs_and_deployments_tell_of_a_commit(github: FakeGitHub, shop: Repository) -> None:
    repo = client(github).get_repo("shop/apps")
    commit = repo.get_commit(shop.head())
    commit.create_status("pending", "https://example.org/1", "rendering", "gitops-bot/diff")
    commit.create_status("success", "https://example.org/1", "done", "gitops-bot/diff")
    assert [one.state for one in commit.get_statuses()] == ["success", "pending"]
    assert (commit.get_combined_status().state, commit.get_combined_status().total_count) == ("success", 1)
    assert status_of(lambda: commit.create_status("success", description="x" * 141))[0] == 422

    run = repo.create_check_run(
        "gitops-bot", commit.sha, status="in_progress", output={"title": "Diff", "summary": "none yet"}
    )
    run.edit(conclusion="success", output={"title": "Diff", "summary": "2 to add"})
    assert [(one.name, one.status, one.conclusion) for one in commit.get_check_runs()] == [
        ("gitops-bot", "completed", "success")
    ]
    assert (
        status_of(lambda: client(github, github.tokens.pat).get_repo("shop/apps").create_check_run("x", commit.sha))[0]
        == 403
    )

    deployment = repo.create_deployment(
        "main", auto_merge=False, required_contexts=[], environment="qa", task="gitops-bot"
    )
    deployment.create_status("in_progress", target_url="https://example.org/log")
    deployment.create_status("success", environment_url="https://example.org")
    assert [one.state for one in deployment.get_statuses()] == ["success", "in_progress"]
    assert [one.id for one in repo.get_deployments(environment="qa")] == [deployment.id]
    assert repo.get_deployment(deployment.id).environment == "qa"


def test_dispatches_are_recorded(github: FakeGitHub, shop: Repository) -> None:
    repo = client(github).get_repo("shop/apps")
    assert repo.create_repository_dispatch("image", {"tag": "1.2.3"})
    assert shop.dispatches == [
        {"event": "repository_dispatch", "event_type": "image", "client_payload": {"tag": "1.2.3"}}
    ]


def test_what_somebody_may_do_in_a_repository_is_told(github: FakeGitHub, shop: Repository) -> None:
    shop.permissions["ada"] = "maintain"
    repo = client(github).get_repo("shop/apps")
    assert repo.get_collaborator_permission("ada") == "write"
    assert repo.get_collaborator_permission("shop") == "admin"


# -- who may do what ---------------------------------------------------------------------------------------------------


def test_a_token_may_do_what_its_kind_may(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    assert client(github, github.tokens.pat).get_user().login == "ada"
    assert status_of(lambda: client(github).get_user().login) == (403, "Resource not accessible by integration")
    reader = client(github, github.tokens.read_only).get_repo("shop/apps").get_pull(pull.number)
    assert status_of(lambda: reader.create_issue_comment("no")) == (403, "Resource not accessible by integration")
    assert status_of(lambda: client(github, github.tokens.expired).get_repo("shop/apps")) == (401, "Bad credentials")
    github.advance(3601)
    assert status_of(lambda: client(github).get_repo("shop/apps")) == (401, "Bad credentials")


@pytest.mark.parametrize(
    ("kind", "login"), [("actions", "github-actions[bot]"), ("app", "gitops-bot[bot]"), ("pat", "ada")]
)
def test_graphql_tells_every_token_who_it_is(github: FakeGitHub, shop: Repository, kind: str, login: str) -> None:
    requester = client(github, getattr(github.tokens, kind)).requester
    assert requester.graphql_query("query { viewer { login } }", {})[1] == {"data": {"viewer": {"login": login}}}


def test_an_app_signs_in_with_its_key_and_works_with_the_tokens_of_its_installation(
    github: FakeGitHub, shop: Repository, pull: Pull
) -> None:
    auth = Auth.AppAuth(github.app.id, github.app.private_key)
    integration = GithubIntegration(
        auth=auth, base_url=github.url, seconds_between_requests=0, seconds_between_writes=0
    )
    assert integration.get_app().slug == "gitops-bot"
    installation = integration.get_repo_installation("shop", "apps")
    assert [one.id for one in integration.get_installations()] == [installation.id]
    mine = installation.get_github_for_installation()
    mine.get_repo("shop/apps").get_pull(pull.number).create_issue_comment("by the app")
    assert [one.login for one in github.comments(pull.number)] == ["gitops-bot[bot]"]

    other = GithubIntegration(auth=Auth.AppAuth(github.app.id, another_key()), base_url=github.url)
    assert status_of(lambda: other.get_repo_installation("shop", "apps"))[0] == 401


def test_a_private_repository_is_not_there_for_who_may_not_see_it(github: FakeGitHub) -> None:
    github.repository("shop/hidden", private=True)
    stranger = github.tokens.add("app", repositories=frozenset({"shop/apps"}))
    assert status_of(lambda: client(github, stranger).get_repo("shop/hidden")) == (404, "Not Found")
    assert client(github).get_repo("shop/hidden").private


# -- commits by GraphQL ------------------------------------------------------------------------------------------------

_COMMIT = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }"


def test_a_commit_by_graphql_needs_the_head_that_the_branch_has(github: FakeGitHub, shop: Repository) -> None:
    requester = client(github).requester
    before = shop.head()
    given = {
        "branch": {"repositoryNameWithOwner": "shop/apps", "branchName": "main"}, "expectedHeadOid": before,
        "message": {"headline": "Bump", "body": "web"},
        "fileChanges": {
            "additions": [{"path": "apps/web.yaml", "contents": base64.b64encode(b"replicas: 5\n").decode()}],
            "deletions": [{"path": "README.md"}],
        },
    }  # fmt: skip
    made = requester.graphql_query(_COMMIT, {"input": given})[1]["data"]["createCommitOnBranch"]["commit"]
    assert made["oid"] == shop.head()
    assert [entry.path for entry in shop.git.entries(shop.head(), recursive=True)] == ["apps", "apps/web.yaml"]
    with pytest.raises(GithubException, match="Pull and try again"):
        requester.graphql_query(_COMMIT, {"input": given})
    assert shop.git.between(before, shop.head()) == [made["oid"]]


_REFS = "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }"


def test_references_are_moved_by_graphql_all_or_none(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    requester = client(github).requester
    head, more = shop.head(), shop.head("more")

    def update(*updates: dict[str, object]) -> None:
        requester.graphql_query(_REFS, {"input": {"repositoryId": shop.node_id, "refUpdates": list(updates)}})

    fresh = {"name": "refs/heads/fresh", "beforeOid": NOBODY, "afterOid": head}
    stale = {"name": "refs/heads/more", "beforeOid": head, "afterOid": head, "force": True}
    with pytest.raises(GithubException, match="but expected"):
        update(fresh, stale)
    assert sorted(shop.git.refs()) == ["refs/heads/main", "refs/heads/more"]
    with pytest.raises(GithubException, match="fast forward"):
        update({**stale, "beforeOid": more, "force": False})
    update(fresh, {**stale, "beforeOid": more})
    assert (shop.head("fresh"), shop.head("more")) == (head, head)
    update({"name": "refs/heads/fresh", "beforeOid": head, "afterOid": NOBODY})
    assert "refs/heads/fresh" not in shop.git.refs()
