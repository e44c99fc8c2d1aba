"""GraphQL's objects: who asks, repositories, pull requests, comments."""

from __future__ import annotations

from typing import Any

from tests.github.graphql import Execution, QueryFailed, Value
from tests.github.state import Account, Comment, Pull, Repository


def root(run: Execution) -> Value:
    """The fields of a query."""
    state = run.github.state

    def repository(owner: str, name: str, **_: Any) -> Value:
        found = state.repositories.get(f"{owner}/{name}".lower())
        if found is None:
            raise QueryFailed("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        found.refresh()
        return repository_of(run, found)

    def node(id: str) -> Value:  # noqa: A002  # GraphQL's own name of the argument
        return any_of(run, run.node(id))

    limit = {"__typename": "RateLimit", "cost": 1, "limit": 5000, "remaining": 4999, "used": 1, "nodeCount": 0,
             "resetAt": state.now(3600)}  # fmt: skip
    return {
        "__typename": "Query", "viewer": actor(run, run.token.account), "repository": repository, "node": node,
        "rateLimit": lambda **_: limit,
    }  # fmt: skip


def actor(run: Execution, account: Account) -> Value:
    """A user or a bot; GitHub's viewer is a User even for a bot, and keeps ``[bot]`` in its login."""
    return {
        "__typename": "User", "__interfaces": ("Actor", "Node"), "login": account.login, "id": f"U_{account.id}",
        "databaseId": account.id, "url": f"{run.github.server_url}/{account.login}",
    }  # fmt: skip


def author(run: Execution, account: Account) -> Value:
    """An author, whose login GraphQL gives without ``[bot]``."""
    kind = "Bot" if account.type == "Bot" else "User"
    return {**actor(run, account), "__typename": kind, "login": account.login.removesuffix("[bot]")}


def any_of(run: Execution, one: Comment | Pull | Repository) -> Value:
    """Any object with a global id."""
    if isinstance(one, Repository):
        return repository_of(run, one)
    return pull_of(run, one) if isinstance(one, Pull) else comment_of(run, one)


def repository_of(run: Execution, repository: Repository) -> Value:
    """A repository."""
    heads = repository.git.refs()

    def ref(qualifiedName: str) -> Value | None:  # noqa: N803  # GraphQL's own name of the argument
        full = qualifiedName if qualifiedName.startswith("refs/") else f"refs/heads/{qualifiedName}"
        sha = heads.get(full)
        target = {"__typename": "Commit", "__interfaces": ("GitObject", "Node"), "oid": sha}
        return (
            None if sha is None else {"__typename": "Ref", "name": full.removeprefix("refs/heads/"), "target": target}
        )

    def pull(number: int) -> Value:
        if number not in repository.pulls:
            raise QueryFailed("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        return pull_of(run, repository.pulls[number])

    return {
        "__typename": "Repository", "__interfaces": ("Node",), "id": repository.node_id, "databaseId": repository.id,
        "name": repository.name, "nameWithOwner": repository.full_name, "isPrivate": repository.private, "ref": ref,
        "defaultBranchRef": ref(repository.default_branch), "pullRequest": pull,
    }  # fmt: skip


def pull_of(run: Execution, pull: Pull) -> Value:
    """A pull request."""

    def comments(first: int = 100, last: int | None = None, **_: Any) -> Value:
        found = pull.repository.comments_of(pull.number)
        part = found[-last:] if last else found[:first]
        info = {"__typename": "PageInfo", "hasNextPage": len(part) < len(found), "endCursor": None}
        nodes = [comment_of(run, one) for one in part]
        return {"__typename": "IssueCommentConnection", "totalCount": len(found), "nodes": nodes, "pageInfo": info}

    return {
        "__typename": "PullRequest", "__interfaces": ("Node",), "id": pull.node_id, "databaseId": pull.id,
        "number": pull.number, "title": pull.title, "body": pull.body or "", "isDraft": pull.draft,
        "state": "MERGED" if pull.merged_at else pull.state.upper(), "headRefOid": pull.head_sha,
        "headRefName": pull.head_ref, "baseRefOid": pull.base_sha, "baseRefName": pull.base_ref,
        "isCrossRepository": pull.fork, "author": author(run, pull.author), "comments": comments,
    }  # fmt: skip


def comment_of(run: Execution, comment: Comment) -> Value:
    """A comment."""
    return {
        "__typename": "IssueComment", "__interfaces": ("Node", "Minimizable"), "id": comment.node_id,
        "databaseId": comment.id, "body": comment.body, "author": author(run, comment.author),
        "isMinimized": comment.minimized is not None, "minimizedReason": (comment.minimized or "").lower() or None,
        "createdAt": comment.created_at, "updatedAt": comment.updated_at,
        "viewerDidAuthor": comment.author is run.token.account,
    }  # fmt: skip
