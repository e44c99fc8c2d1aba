"""Repositories: themselves, who may do what in them, and their labels."""

from __future__ import annotations

from typing import Any

from tests.github.exchange import Answer, Refusal, invalid
from tests.github.routes.accounts import user
from tests.github.routing import Call, route
from tests.github.state import Repository

_LINKS = {
    "forks_url": "/forks", "keys_url": "/keys{/key_id}", "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams", "hooks_url": "/hooks", "issue_events_url": "/issues/events{/number}", "events_url": "/events",
    "assignees_url": "/assignees{/user}", "branches_url": "/branches{/branch}", "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}", "git_tags_url": "/git/tags{/sha}", "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}", "statuses_url": "/statuses/{sha}", "languages_url": "/languages",
    "stargazers_url": "/stargazers", "contributors_url": "/contributors", "subscribers_url": "/subscribers",
    "subscription_url": "/subscription", "commits_url": "/commits{/sha}", "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}", "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}", "compare_url": "/compare/{base}...{head}", "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}", "downloads_url": "/downloads", "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}", "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}", "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}", "deployments_url": "/deployments",
}  # fmt: skip
ROLES = ("read", "triage", "write", "maintain", "admin")


def api_url(call: Call, repository: Repository) -> str:
    """Where a repository is in the API."""
    return f"{call.api}/repos/{repository.full_name}"


def page_url(repository: Repository) -> str:
    """Where people see a repository."""
    return f"{repository.state.server_url}/{repository.full_name}"


def minimal(call: Call, repository: Repository) -> dict[str, Any]:
    """A repository as it stands in statuses and installations."""
    url = api_url(call, repository)
    return {
        "id": repository.id, "node_id": repository.node_id, "name": repository.name, "full_name": repository.full_name,
        "private": repository.private, "owner": user(call, repository.owner), "html_url": page_url(repository),
        "description": None, "fork": repository.fork_of is not None, "url": url,
        **{name: url + rest for name, rest in _LINKS.items()},
    }  # fmt: skip


def shape(call: Call, repository: Repository) -> dict[str, Any]:
    """A repository as it stands in pull requests."""
    page = page_url(repository)
    open_pulls = sum(pull.state == "open" for pull in repository.pulls.values())
    return {
        **minimal(call, repository),
        "created_at": repository.created_at, "updated_at": repository.created_at, "pushed_at": repository.created_at,
        "git_url": page.replace("http:", "git:") + ".git", "ssh_url": f"git@127.0.0.1:{repository.full_name}.git",
        "clone_url": repository.clone_url, "svn_url": page, "homepage": None, "size": 1, "stargazers_count": 0,
        "watchers_count": 0, "language": None, "has_issues": True, "has_projects": True, "has_downloads": True,
        "has_wiki": False, "has_pages": False, "has_discussions": False, "forks_count": 0, "mirror_url": None,
        "archived": False, "disabled": False, "open_issues_count": open_pulls, "license": None, "allow_forking": True,
        "is_template": False, "web_commit_signoff_required": False, "has_pull_requests": True,
        "pull_request_creation_policy": "all", "topics": [],
        "visibility": "private" if repository.private else "public", "forks": 0, "open_issues": open_pulls,
        "watchers": 0, "default_branch": repository.default_branch,
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}", "metadata:read")
def get(call: Call) -> Answer:
    """A repository with everything."""
    repository = call.repository
    body = {**shape(call, repository), "temp_clone_token": None, "custom_properties": {}, "network_count": 0,
            "subscribers_count": 0}  # fmt: skip
    if call.token is not None:
        writes = call.token.may("contents:write")
        body["permissions"] = {"admin": False, "maintain": False, "push": writes, "triage": writes, "pull": True}
    if repository.owner.type == "Organization":
        body["organization"] = user(call, repository.owner)
    if repository.fork_of is not None:
        body["parent"] = body["source"] = shape(call, repository.fork_of)
    return Answer(200, body)


@route("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", "metadata:read", anyone=False)
def permission(call: Call) -> Answer:
    """What somebody may do in a repository."""
    account = call.state.accounts.get(call.parameters["username"])
    if account is None:
        raise Refusal(404, f"{call.parameters['username']} is not a user")
    repository = call.repository
    none = "none" if repository.private else "read"
    role = repository.permissions.get(account.login, "admin" if account is repository.owner else none)
    level = ROLES.index(role) if role in ROLES else -1
    flags = {"admin": level >= 4, "maintain": level >= 3, "push": level >= 2, "triage": level >= 1, "pull": level >= 0}
    legacy = {"maintain": "write", "triage": "read"}.get(role, role)
    person = {**user(call, account), "permissions": flags, "role_name": role}
    return Answer(200, {"permission": legacy, "user": person, "role_name": role})


@route("POST", "/repos/{owner}/{repo}/dispatches", "contents:write")
def dispatch(call: Call) -> Answer:
    """Start what listens to ``repository_dispatch``: recorded."""
    name = call.required("RepositoryDispatch", "event_type")
    payload = call.body().get("client_payload") or {}
    call.repository.dispatches.append({"event": "repository_dispatch", "event_type": name, "client_payload": payload})
    call.state.event("repository_dispatch", name, call.repository, client_payload=payload)
    return Answer(204)


@route("POST", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", "actions:write")
def dispatch_workflow(call: Call) -> Answer:
    """Start a workflow: recorded."""
    ref = call.required("WorkflowDispatch", "ref")
    if call.repository.git.resolve(ref) is None:
        raise Refusal(422, f"No ref found for: {ref}")
    what = {"workflow": call.parameters["workflow_id"], "ref": ref, "inputs": call.body().get("inputs") or {}}
    call.repository.dispatches.append({"event": "workflow_dispatch", **what})
    call.state.event("workflow_dispatch", "", call.repository, **what)
    return Answer(204)


def label(call: Call, name: str) -> dict[str, Any]:
    """A label of the repository, made when it is new."""
    repository = call.repository
    known = repository.labels.setdefault(
        name, {"id": call.state.new_id(), "name": name, "color": "ededed", "description": None, "default": False}
    )
    return {**known, "node_id": f"LA_{known['id']}", "url": f"{api_url(call, repository)}/labels/{name}"}


@route("GET", "/repos/{owner}/{repo}/labels", "issues:read", "pull_requests:read")
def labels(call: Call) -> Answer:
    """All labels."""
    items, headers = call.page([label(call, name) for name in sorted(call.repository.labels)])
    return Answer(200, items, headers)


@route("POST", "/repos/{owner}/{repo}/labels", "issues:write", "pull_requests:write")
def create_label(call: Call) -> Answer:
    """Make a label."""
    name = call.required("Label", "name")
    if name in call.repository.labels:
        raise invalid("Label", "name", "already_exists")
    label(call, name)
    known = call.repository.labels[name]
    known["color"] = (call.body().get("color") or "ededed").removeprefix("#")
    known["description"] = call.body().get("description")
    return Answer(201, label(call, name))


@route("GET", "/repos/{owner}/{repo}/labels/{name}", "issues:read", "pull_requests:read")
def get_label(call: Call) -> Answer:
    """One label."""
    if call.parameters["name"] not in call.repository.labels:
        raise Refusal(404, "Not Found")
    return Answer(200, label(call, call.parameters["name"]))


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", "issues:read", "pull_requests:read")
def labels_of(call: Call) -> Answer:
    """The labels of a pull request."""
    items, headers = call.page([label(call, name) for name in call.repository.pull(call.number("issue_number")).labels])
    return Answer(200, items, headers)


def _names(call: Call) -> list[str]:
    given = call.request.json()
    names = given.get("labels", []) if isinstance(given, dict) else given or []
    return [one["name"] if isinstance(one, dict) else one for one in names]


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", "issues:write", "pull_requests:write")
def add_labels(call: Call) -> Answer:
    """Put labels on a pull request."""
    pull = call.repository.pull(call.number("issue_number"))
    pull.labels += [name for name in dict.fromkeys(_names(call)) if name not in pull.labels]
    return Answer(200, [label(call, name) for name in pull.labels])


@route("PUT", "/repos/{owner}/{repo}/issues/{issue_number}/labels", "issues:write", "pull_requests:write")
def set_labels(call: Call) -> Answer:
    """Let a pull request have these labels only."""
    pull = call.repository.pull(call.number("issue_number"))
    pull.labels = list(dict.fromkeys(_names(call)))
    return Answer(200, [label(call, name) for name in pull.labels])


@route("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", "issues:write", "pull_requests:write")
def remove_label(call: Call) -> Answer:
    """Take a label from a pull request."""
    pull = call.repository.pull(call.number("issue_number"))
    if call.parameters["name"] not in pull.labels:
        raise Refusal(404, "Label does not exist")
    pull.labels.remove(call.parameters["name"])
    return Answer(200, [label(call, name) for name in pull.labels])


@route("GET", "/repos/{owner}/{repo}/activity", "contents:read")
def activity(call: Call) -> Answer:
    """When branches were pushed to, newest first; of those that have pull requests."""
    wanted = call.request.query.get("ref")
    found = [
        {"id": each["id"], "node_id": f"PSH_{each['id']}", "before": each["before"], "after": each["after"],
         "ref": each["ref"], "timestamp": each["timestamp"], "activity_type": "push",
         "actor": user(call, call.state.account(each["login"]))}
        for each in reversed(call.repository.pushes)
        if wanted in (None, each["ref"])
    ]  # fmt: skip
    items, headers = call.page(found)
    return Answer(200, items, headers)
