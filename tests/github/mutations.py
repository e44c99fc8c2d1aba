"""GraphQL's mutations."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tests.github import objects
from tests.github.git import NOBODY, GitFailed
from tests.github.graphql import Execution, QueryFailed, Value
from tests.github.state import Comment, Pull, Repository

_REASONS = ("ABUSE", "DUPLICATE", "LOW_QUALITY", "OFF_TOPIC", "OUTDATED", "RESOLVED", "SPAM")


def root(run: Execution) -> Value:
    """The fields of a mutation; each takes ``input``."""
    known = {
        "minimizeComment": _minimize, "unminimizeComment": _unminimize, "createCommitOnBranch": _commit,
        "markPullRequestReadyForReview": _ready, "convertPullRequestToDraft": _draft, "updateRefs": _update_refs,
    }  # fmt: skip

    def mutation(function: Any) -> Any:
        def call(input: Value) -> Value:  # noqa: A002  # GraphQL's own name of the argument
            try:
                return {"clientMutationId": input.get("clientMutationId"), **function(run, input)}
            except KeyError as error:
                raise QueryFailed("INVALID", f"Argument {error} is required") from error

        return call

    return {"__typename": "Mutation", **{name: mutation(function) for name, function in known.items()}}


def _comment(run: Execution, given: Value) -> Comment:
    run.demand("issues:write", "pull_requests:write")
    found = run.node(given["subjectId"])
    if not isinstance(found, Comment):
        raise QueryFailed("NOT_FOUND", f"Could not resolve to a Minimizable with the id '{given['subjectId']}'")
    return found


def _minimize(run: Execution, given: Value) -> Value:
    if given["classifier"] not in _REASONS:
        raise QueryFailed("UNPROCESSABLE", f"{given['classifier']} is no classifier")
    comment = _comment(run, given)
    comment.minimized = given["classifier"]
    return {"__typename": "MinimizeCommentPayload", "minimizedComment": objects.comment_of(run, comment)}


def _unminimize(run: Execution, given: Value) -> Value:
    comment = _comment(run, given)
    comment.minimized = None
    return {"__typename": "UnminimizeCommentPayload", "unminimizedComment": objects.comment_of(run, comment)}


def _pull(run: Execution, given: Value) -> Pull:
    run.demand("pull_requests:write")
    found = run.node(given["pullRequestId"])
    if not isinstance(found, Pull):
        raise QueryFailed("NOT_FOUND", f"Could not resolve to a PullRequest with the id '{given['pullRequestId']}'")
    return found


def _ready(run: Execution, given: Value) -> Value:
    pull = _pull(run, given)
    pull.draft = False
    return {"__typename": "MarkPullRequestReadyForReviewPayload", "pullRequest": objects.pull_of(run, pull)}


def _draft(run: Execution, given: Value) -> Value:
    pull = _pull(run, given)
    pull.draft = True
    return {"__typename": "ConvertPullRequestToDraftPayload", "pullRequest": objects.pull_of(run, pull)}


def _branch(run: Execution, given: Value) -> tuple[Repository, str]:
    branch = given["branch"]
    if branch.get("id"):
        raise QueryFailed("UNPROCESSABLE", "the fake finds branches by name only")
    repository = run.github.state.repositories.get(branch["repositoryNameWithOwner"].lower())
    name = branch["branchName"].removeprefix("refs/heads/")
    if repository is None or f"refs/heads/{name}" not in repository.git.refs():
        raise QueryFailed("NOT_FOUND", f"No branch named '{name}' was found in this repository")
    return repository, name


def _commit(run: Execution, given: Value) -> Value:
    """A commit on a branch, only if the branch is where the caller thinks: compare and swap."""
    run.demand("contents:write")
    repository, name = _branch(run, given)
    git, ref, expected = repository.git, f"refs/heads/{name}", given["expectedHeadOid"]
    actual = repository.head(name)
    stale = QueryFailed("STALE_DATA", f'Expected branch to point to "{actual}" but it did not. Pull and try again.')
    if actual != expected:
        raise stale
    if repository.protected(ref):
        raise QueryFailed(
            "UNPROCESSABLE", "Repository rule violations found\n\nChanges must be made through a pull request."
        )
    _workflow_files(run, given.get("fileChanges") or {})
    tree = git.write_tree(expected, _changes(repository, expected, given.get("fileChanges") or {}))
    text = given["message"]
    message = text["headline"] + (f"\n\n{text['body']}" if text.get("body") else "")
    who = run.token.account
    author = run.github.state.person(who)
    sha = git.write_commit(
        tree, [expected], message, author, author._replace(name="GitHub", email="noreply@github.com")
    )
    try:
        git.update(ref, sha, expected)
    except GitFailed as error:
        raise stale from error
    repository.signed.add(sha)
    repository.refresh()
    run.github.state.event("push", "", repository, ref=ref, after=sha)
    commit = {
        "__typename": "Commit", "__interfaces": ("GitObject", "Node"), "oid": sha, "id": f"C_{sha}", "message": message,
        "url": f"{run.github.server_url}/{repository.full_name}/commit/{sha}",
        "signature": {"__typename": "GpgSignature", "__interfaces": ("GitSignature",), "isValid": True,
                      "wasSignedByGitHub": True, "state": "VALID"},
    }  # fmt: skip
    return {
        "__typename": "CreateCommitOnBranchPayload",
        "commit": commit,
        "ref": {"__typename": "Ref", "name": name, "target": commit},
    }


def _workflow_files(run: Execution, changes: Value) -> None:
    paths = [one["path"] for one in [*(changes.get("additions") or []), *(changes.get("deletions") or [])]]
    touched = next((path for path in paths if path.startswith(".github/workflows/")), None)
    if touched is not None and not run.token.may("workflows:write"):
        kind = "a GitHub App" if run.token.is_app else "a Personal Access Token"
        raise QueryFailed(
            "UNPROCESSABLE", f"refusing to allow {kind} to create or update workflow `{touched}` without `workflows` permission"
        )  # fmt: skip


def _update_refs(run: Execution, given: Value) -> Value:
    """References moved, made and deleted (40 zeros), each only from where the caller thinks: all of them or none."""
    run.demand("contents:write")
    repository = run.node(given["repositoryId"])
    if not isinstance(repository, Repository):
        raise QueryFailed("NOT_FOUND", "Could not resolve to a Repository")
    git, refs = repository.git, repository.git.refs("refs/")
    for one in given["refUpdates"]:
        name, before, after = one["name"], one.get("beforeOid"), one["afterOid"]
        here = refs.get(name, NOBODY)
        if before is not None and here != before:
            raise QueryFailed("UNPROCESSABLE", f"Reference update failed: {name} is at {here} but expected {before}")
        if repository.protected(name):
            raise QueryFailed("UNPROCESSABLE", "Repository rule violations found\n\nCannot update this protected ref.")
        if after != NOBODY and git.kind(after) is None:
            raise QueryFailed("UNPROCESSABLE", "Object does not exist")
        if not one.get("force") and NOBODY not in (here, after) and git.merge_base(here, after) != here:
            raise QueryFailed("UNPROCESSABLE", "Reference update failed: not a fast forward")
    for one in given["refUpdates"]:
        if one["afterOid"] == NOBODY:
            git.delete(one["name"])
        else:
            git.update(one["name"], one["afterOid"])
        run.github.state.event("push", "", repository, ref=one["name"], after=one["afterOid"])
    repository.refresh()
    return {"__typename": "UpdateRefsPayload"}


def _changes(repository: Repository, base: str, changes: Value) -> list[tuple[str, str, str | None]]:
    there = {entry.path: entry.mode for entry in repository.git.entries(base, recursive=True) if entry.type == "blob"}
    found: list[tuple[str, str, str | None]] = []
    for one in changes.get("deletions") or []:
        if one["path"] not in there:
            raise QueryFailed("UNPROCESSABLE", f"A path was requested for deletion which does not exist: {one['path']}")
        found.append((one["path"], there[one["path"]], None))
    for one in changes.get("additions") or []:
        try:
            content = base64.b64decode(one["contents"], validate=True)
        except binascii.Error as error:
            raise QueryFailed("UNPROCESSABLE", f"The contents of {one['path']} are no Base64") from error
        found.append((one["path"], "100644", repository.git.write_blob(content)))
    return found
