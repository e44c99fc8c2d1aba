"""Pull requests."""

from __future__ import annotations

from typing import Any

from tests.github.exchange import Answer, Refusal, invalid
from tests.github.git import GitFailed
from tests.github.routes import merges, repositories
from tests.github.routes.accounts import user
from tests.github.routes.repositories import api_url, label, page_url
from tests.github.routing import Call, route
from tests.github.state import Account, Pull, Repository

_KINDS = ("issue", "comments", "review_comments", "review_comment", "commits", "statuses")


def open_pull(
    repository: Repository, source: Repository, head: str, base: str, *, title: str, body: str | None, author: Account,
    draft: bool = False,
) -> Pull:  # fmt: skip
    """Open a pull request from a branch of ``source``, the repository itself or a fork of it."""
    state = repository.state
    numbers = [*repository.pulls, 0]
    pull = Pull(
        state.new_id(), max(numbers) + 1, repository, source, head, base, title, body, author, state.now(), state.now(),
        source.git.refs()[f"refs/heads/{head}"], repository.git.refs()[f"refs/heads/{base}"], draft,
    )  # fmt: skip
    repository.pulls[pull.number] = pull
    repository.refresh()
    state.event("pull_request", "opened", repository, number=pull.number, sender=author.login)
    return pull


def _end(call: Call, repository: Repository, ref: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{repository.owner.login}:{ref}", "ref": ref, "sha": sha, "user": user(call, repository.owner),
        "repo": repositories.shape(call, repository),
    }  # fmt: skip


def simple(call: Call, pull: Pull) -> dict[str, Any]:
    """A pull request as it stands in lists."""
    url, page = api_url(call, pull.repository), page_url(pull.repository)
    own, issue = f"{url}/pulls/{pull.number}", f"{url}/issues/{pull.number}"
    html = f"{page}/pull/{pull.number}"
    links = {
        "self": own, "html": html, "issue": issue, "comments": f"{issue}/comments", "review_comments": f"{own}/comments",
        "review_comment": f"{url}/pulls/comments{{/number}}", "commits": f"{own}/commits",
        "statuses": f"{url}/statuses/{pull.head_sha}",
    }  # fmt: skip
    return {
        "url": own, "id": pull.id, "node_id": pull.node_id, "html_url": html, "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch", "issue_url": issue, "number": pull.number, "state": pull.state, "locked": False,
        "title": pull.title, "user": user(call, pull.author), "body": pull.body, "created_at": pull.created_at,
        "updated_at": pull.updated_at, "closed_at": pull.closed_at, "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit_sha, "assignee": None, "assignees": [], "requested_reviewers": [],
        "requested_teams": [], "labels": _labels(call, pull), "milestone": None,
        "draft": pull.draft, **{f"{kind}_url": links[kind] for kind in _KINDS},
        "head": _end(call, pull.head_repository, pull.head_ref, pull.head_sha),
        "base": _end(call, pull.repository, pull.base_ref, pull.base_sha),
        "_links": {kind: {"href": link} for kind, link in links.items()},
        "author_association": association(pull.repository, pull.author), "auto_merge": None, "active_lock_reason": None,
    }  # fmt: skip


def _labels(call: Call, pull: Pull) -> list[dict[str, Any]]:
    """The labels as pull requests have them: GitHub's description of these knows no label without words."""
    return [{**one, "description": one["description"] or ""} for one in (label(call, name) for name in pull.labels)]


def association(repository: Repository, account: Account) -> str:
    """How somebody belongs to a repository, in GitHub's words."""
    if account is repository.owner:
        return "OWNER"
    if account.type == "Bot":
        return "NONE"
    return "COLLABORATOR" if account.login in repository.permissions else "NONE"


def full(call: Call, pull: Pull) -> dict[str, Any]:
    """A pull request with its numbers."""
    git = pull.repository.git
    start = git.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
    files = git.files(start, pull.head_sha)
    return {
        **simple(call, pull), "merged": pull.merged_at is not None,
        "mergeable": pull.mergeable if pull.state == "open" else None,
        "rebaseable": pull.mergeable if pull.state == "open" else None,
        "mergeable_state": "clean" if pull.mergeable else "dirty", "merged_by": None,
        "comments": len(pull.repository.comments_of(pull.number)), "review_comments": 0,
        "maintainer_can_modify": pull.fork, "commits": len(git.between(start, pull.head_sha)),
        "additions": sum(file.additions for file in files), "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests:read")
def get(call: Call) -> Answer:
    """One pull request."""
    return Answer(200, full(call, call.repository.pull(call.number("pull_number"))))


@route("GET", "/repos/{owner}/{repo}/pulls", "pull_requests:read")
def list_pulls(call: Call) -> Answer:
    """Pull requests by state, head (``owner:branch``) and base; newest first."""
    asked = call.request.query
    state, head, base = asked.get("state", "open"), asked.get("head", ""), asked.get("base", "")
    found = [
        pull for pull in call.repository.pulls.values()
        if state in ("all", pull.state) and base in ("", pull.base_ref)
        # GitHub ignores a head that names no owner.
        and (":" not in head or head.lower() == f"{pull.head_repository.owner.login}:{pull.head_ref}".lower())
    ]  # fmt: skip
    key = {"updated": "updated_at"}.get(asked.get("sort", ""), "number")
    found.sort(key=lambda pull: (getattr(pull, key), pull.number), reverse=asked.get("direction", "desc") == "desc")
    items, headers = call.page(found)
    return Answer(200, [simple(call, pull) for pull in items], headers)


@route("POST", "/repos/{owner}/{repo}/pulls", "pull_requests:write")
def create(call: Call) -> Answer:
    """Open a pull request."""
    head, base = call.required("PullRequest", "head"), call.required("PullRequest", "base")
    owner, _, branch = head.rpartition(":")
    repository = call.repository
    source = call.state.repository(f"{owner}/{repository.name}") if owner else repository
    if f"refs/heads/{base}" not in repository.git.refs():
        raise invalid("PullRequest", "base", "invalid")
    if f"refs/heads/{branch}" not in source.git.refs():
        raise invalid("PullRequest", "head", "invalid")
    label_of = f"{source.owner.login}:{branch}"
    for pull in repository.pulls.values():
        if (pull.state, pull.head_repository, pull.head_ref, pull.base_ref) == ("open", source, branch, base):
            error = {
                "resource": "PullRequest",
                "code": "custom",
                "message": f"A pull request already exists for {label_of}.",
            }
            raise Refusal(422, "Validation Failed", [error])
    if not repository.git.between(repository.head(base), source.head(branch)):
        error = {"resource": "PullRequest", "code": "custom", "message": f"No commits between {base} and {branch}"}
        raise Refusal(422, "Validation Failed", [error])
    body = call.body()
    pull = open_pull(
        repository, source, branch, base, title=call.required("PullRequest", "title"), body=body.get("body"),
        author=call.caller.account, draft=bool(body.get("draft")),
    )  # fmt: skip
    return Answer(201, full(call, pull))


@route("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests:write")
def update(call: Call) -> Answer:
    """Change title, body, base or state."""
    pull = call.repository.pull(call.number("pull_number"))
    asked = call.body()
    if asked.get("base") and f"refs/heads/{asked['base']}" not in pull.repository.git.refs():
        raise invalid("PullRequest", "base", "invalid")
    pull.title, pull.body = asked.get("title", pull.title), asked.get("body", pull.body)
    pull.base_ref = asked.get("base", pull.base_ref)
    if asked.get("state") in ("open", "closed") and asked["state"] != pull.state:
        pull.state = asked["state"]
        pull.closed_at = call.state.now() if pull.state == "closed" else None
        action = "closed" if pull.state == "closed" else "reopened"
        call.state.event("pull_request", action, pull.repository, number=pull.number)
    pull.updated_at = call.state.now()
    pull.repository.refresh()
    return Answer(200, full(call, pull))


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", "pull_requests:read")
def files(call: Call) -> Answer:
    """The changed files."""
    from tests.github.routes.commits import entry

    pull = call.repository.pull(call.number("pull_number"))
    git = call.repository.git
    start = git.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
    items, headers = call.page(git.files(start, pull.head_sha))
    return Answer(200, [entry(call, file, pull.head_sha) for file in items], headers)


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", "pull_requests:read")
def commits(call: Call) -> Answer:
    """The commits, oldest first."""
    from tests.github.routes.commits import shape

    pull = call.repository.pull(call.number("pull_number"))
    items, headers = call.page(call.repository.git.between(pull.base_sha, pull.head_sha))
    return Answer(200, [shape(call, sha) for sha in items], headers)


@route("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents:write")
def merge(call: Call) -> Answer:
    """Merge by a merge commit, squashed into one or rebased, unless the head moved or cannot be merged."""
    pull, git = call.repository.pull(call.number("pull_number")), call.repository.git
    expected = call.body().get("sha")
    if expected and expected != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    ref = f"refs/heads/{pull.base_ref}"
    if pull.state != "open" or not pull.mergeable or pull.merge_commit_sha is None:
        raise Refusal(405, "Pull Request is not mergeable")
    if call.repository.protected(ref):
        raise Refusal(405, "Repository rule violations found")
    made = merges.MADE[call.body().get("merge_method", "merge")](call, pull)
    try:
        git.update(ref, made, pull.base_sha)
    except GitFailed as error:
        raise Refusal(409, "Base branch was modified. Review and try the merge again.") from error
    pull.state, pull.merged_at, pull.merge_commit_sha = "closed", call.state.now(), made
    pull.closed_at = pull.merged_at
    call.state.event("push", "", pull.repository, ref=ref, before=pull.base_sha, after=made)
    call.state.event("pull_request", "closed", pull.repository, number=pull.number, merged=True)
    call.repository.refresh()
    return Answer(200, {"sha": pull.merge_commit_sha, "merged": True, "message": "Pull Request successfully merged"})
