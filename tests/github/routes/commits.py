"""Commits, comparisons, branches and files at a revision."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import quote

from tests.github.exchange import Answer, Refusal
from tests.github.git import Commit, File, GitFailed, Person
from tests.github.routes.accounts import user
from tests.github.routes.repositories import api_url, page_url
from tests.github.routing import Call, route
from tests.github.state import Repository

UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def resolved(call: Call, revision: str) -> str:
    """The commit of a branch, tag or id.

    Raises:
        Refusal: 422 as GitHub answers a commit it does not have, 404 without any revision.
    """
    sha = call.repository.git.resolve(revision)
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {revision}")
    return sha


def person(who: Person) -> dict[str, str]:
    """An author or committer of Git."""
    return {"name": who.name, "email": who.email, "date": who.date}


def verification(call: Call, commit: Commit) -> dict[str, Any]:
    """What GitHub thinks of a commit's signature."""
    if commit.sha not in call.repository.signed:
        return UNSIGNED
    return {
        "verified": True, "reason": "valid", "signature": "-----BEGIN PGP SIGNATURE-----",
        "payload": f"tree {commit.tree}", "verified_at": commit.committer.date,
    }  # fmt: skip


def parents(call: Call, commit: Commit) -> list[dict[str, str]]:
    """The parents of a commit."""
    url, page = api_url(call, call.repository), page_url(call.repository)
    return [
        {"sha": sha, "url": f"{url}/commits/{sha}", "html_url": f"{page}/commit/{sha}"} for sha in commit.parents
    ]  # fmt: skip


def shape(call: Call, sha: str) -> dict[str, Any]:
    """A commit as it stands in lists."""
    commit = call.repository.git.commit(sha)
    url, page = api_url(call, call.repository), page_url(call.repository)
    return {
        "sha": sha, "node_id": f"C_{sha}",
        "commit": {
            "author": person(commit.author), "committer": person(commit.committer), "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{url}/git/trees/{commit.tree}"},
            "url": f"{url}/git/commits/{sha}", "comment_count": 0,
            "verification": verification(call, commit),
        },
        "url": f"{url}/commits/{sha}", "html_url": f"{page}/commit/{sha}", "comments_url": f"{url}/commits/{sha}/comments",
        "author": _account(call, commit.author), "committer": _account(call, commit.committer),
        "parents": parents(call, commit),
    }  # fmt: skip


def _account(call: Call, who: Person) -> dict[str, Any] | None:
    found = call.state.who(who)
    return user(call, found) if found is not None else None


def entry(call: Call, file: File, at: str) -> dict[str, Any]:
    """A changed file."""
    url, page, path = api_url(call, call.repository), page_url(call.repository), quote(file.path)
    made = {
        "sha": file.sha, "filename": file.path, "status": file.status, "additions": file.additions,
        "deletions": file.deletions, "changes": file.additions + file.deletions, "blob_url": f"{page}/blob/{at}/{path}",
        "raw_url": f"{page}/raw/{at}/{path}", "contents_url": f"{url}/contents/{path}?ref={at}",
    }  # fmt: skip
    if file.patch:
        made["patch"] = file.patch
    return {**made, "previous_filename": file.before} if file.before else made


def full(call: Call, sha: str) -> dict[str, Any]:
    """A commit with its files."""
    git = call.repository.git
    commit = git.commit(sha)
    files = git.files(commit.parents[0] if commit.parents else git.empty_tree(), sha)
    additions, deletions = sum(one.additions for one in files), sum(one.deletions for one in files)
    stats = {"total": additions + deletions, "additions": additions, "deletions": deletions}
    return {**shape(call, sha), "stats": stats, "files": [entry(call, one, sha) for one in files]}


@route("GET", "/repos/{owner}/{repo}/commits", "contents:read")
def list_commits(call: Call) -> Answer:
    """The history of a revision or path, newest first."""
    asked = call.request.query
    sha = resolved(call, asked.get("sha") or call.repository.default_branch)
    items, headers = call.page(call.repository.git.history(sha, asked.get("path", "")))
    return Answer(200, [shape(call, one) for one in items], headers)


@route("GET", "/repos/{owner}/{repo}/commits/{ref}", "contents:read")
def get(call: Call) -> Answer:
    """One commit with its files."""
    return Answer(200, full(call, resolved(call, call.parameters["ref"])))


@route("GET", "/repos/{owner}/{repo}/compare/{basehead}", "contents:read")
def compare(call: Call) -> Answer:
    """Two commits: ``base...head``, where head may be ``owner:branch`` of a fork."""
    base_name, dots, head_name = call.parameters["basehead"].partition("...")
    git = call.repository.git
    base, head = git.resolve(base_name), _head(call, head_name)
    start = git.merge_base(base, head) if base and head else None
    if not dots or base is None or head is None or start is None:
        raise Refusal(404, "Not Found")
    commits, behind = git.between(start, head), len(git.between(head, base))
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}.get(
        (bool(commits), bool(behind)), "diverged"
    )
    url, page, span = api_url(call, call.repository), page_url(call.repository), f"{base_name}...{head_name}"
    items, headers = call.page(commits)
    body = {
        "url": f"{url}/compare/{span}", "html_url": f"{page}/compare/{span}", "permalink_url": f"{page}/compare/{base}...{head}",
        "diff_url": f"{page}/compare/{span}.diff", "patch_url": f"{page}/compare/{span}.patch",
        "base_commit": shape(call, base), "merge_base_commit": shape(call, start), "status": status,
        "ahead_by": len(commits), "behind_by": behind, "total_commits": len(commits),
        "commits": [shape(call, one) for one in items],
        "files": [entry(call, one, head) for one in git.files(start, head)[:300]],
    }  # fmt: skip
    return Answer(200, body, headers)


def _head(call: Call, name: str) -> str | None:
    owner, _, branch = name.rpartition(":")
    if not owner:
        return call.repository.git.resolve(name)
    sources = [one for one in call.state.repositories.values() if one.owner.login == owner]
    for one in sources:
        sha = one.git.ref(f"refs/heads/{branch}")
        if sha is not None and call.repository.git.kind(sha):
            return sha
    return None


# -- branches ----------------------------------------------------------------------------------------------------------


def _branch(call: Call, name: str) -> str:
    sha = call.repository.git.ref(f"refs/heads/{name}")
    if sha is None:
        raise Refusal(404, "Branch not found")
    return sha


def _short(call: Call, name: str, sha: str) -> dict[str, Any]:
    url = api_url(call, call.repository)
    protected = call.repository.protected(f"refs/heads/{name}")
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name, "commit": {"sha": sha, "url": f"{url}/commits/{sha}"}, "protected": protected,
        "protection": {"enabled": protected, "required_status_checks": checks},
        "protection_url": f"{url}/branches/{quote(name, safe='')}/protection",
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/branches", "contents:read")
def branches(call: Call) -> Answer:
    """All branches, by name."""
    items, headers = call.page(list(call.repository.git.refs().items()))
    return Answer(200, [_short(call, name.removeprefix("refs/heads/"), sha) for name, sha in items], headers)


@route("GET", "/repos/{owner}/{repo}/branches/{branch}", "contents:read")
def branch(call: Call) -> Answer:
    """One branch with its newest commit."""
    name = call.parameters["branch"]
    sha = _branch(call, name)
    links = {
        "self": f"{api_url(call, call.repository)}/branches/{name}",
        "html": f"{page_url(call.repository)}/tree/{name}",
    }
    return Answer(200, {**_short(call, name, sha), "commit": shape(call, sha), "_links": links})


# -- files -------------------------------------------------------------------------------------------------------------


def _found(repository: Repository, sha: str, path: str) -> Any:
    found = repository.git.entries(f"{sha}:{path.rpartition('/')[0]}") if path else []
    return next((one for one in found if one.path == path.rpartition("/")[2]), None)


def _file(call: Call, path: str, name: str, ref: str, sha: str, size: int | None, kind: str) -> dict[str, Any]:
    url, page = api_url(call, call.repository), page_url(call.repository)
    own, git = f"{url}/contents/{quote(path)}?ref={ref}", f"{url}/git/{'trees' if kind == 'dir' else 'blobs'}/{sha}"
    html = f"{page}/{'tree' if kind == 'dir' else 'blob'}/{ref}/{quote(path)}"
    return {
        "name": name, "path": path, "sha": sha, "size": size or 0, "url": own, "html_url": html, "git_url": git,
        "download_url": None if kind == "dir" else f"{page}/raw/{ref}/{quote(path)}", "type": kind,
        "_links": {"self": own, "git": git, "html": html},
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/contents/{path}", "contents:read")
def contents(call: Call) -> Answer:
    """A file in Base64, or what lies in a folder."""
    path, ref = call.parameters["path"].strip("/"), call.request.query.get("ref") or call.repository.default_branch
    git = call.repository.git
    sha = git.resolve(ref)
    if sha is None:
        raise Refusal(404, f"No commit found for the ref {ref}")
    try:
        found = _found(call.repository, sha, path)
        if found is None:
            raise Refusal(404, "Not Found")
        if found.type == "tree":
            inside = git.entries(f"{sha}:{path}")
            kinds = {"tree": "dir", "blob": "file", "commit": "submodule"}
            return Answer(
                200,
                [
                    _file(call, f"{path}/{one.path}", one.path, ref, one.sha, one.size, kinds[one.type])
                    for one in inside
                ],
            )
    except GitFailed as error:
        raise Refusal(404, "Not Found") from error
    text = base64.encodebytes(git.blob(found.sha)).decode()
    return Answer(
        200,
        {**_file(call, path, found.path, ref, found.sha, found.size, "file"), "content": text, "encoding": "base64"},
    )


@route("PUT", "/repos/{owner}/{repo}/contents/{path}", "contents:write")
def write_file(call: Call) -> Answer:
    """Commit one file; 409 when the file is no longer the one the caller replaces."""
    path, asked = call.parameters["path"].strip("/"), call.body()
    branch_name = asked.get("branch") or call.repository.default_branch
    head, git = _branch(call, branch_name), call.repository.git
    message = call.required("Content", "message")
    if call.repository.protected(f"refs/heads/{branch_name}"):
        raise Refusal(409, "Repository rule violations found")
    try:
        content = base64.b64decode(call.required("Content", "content"), validate=True)
    except binascii.Error as error:
        raise Refusal(422, "content is not valid Base64") from error
    there = next((one for one in git.entries(head, recursive=True) if one.path == path), None)
    if there is not None and "sha" not in asked:
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if asked.get("sha", None) != (there.sha if there else None):
        raise Refusal(409, f"{path} does not match {asked.get('sha')}")
    tree = git.write_tree(head, [(path, there.mode if there else "100644", git.write_blob(content))])
    sha = git.write_commit(tree, [head], message)
    try:
        git.update(f"refs/heads/{branch_name}", sha, head)
    except GitFailed as error:
        raise Refusal(409, f"is at {call.repository.head(branch_name)} but expected {head}") from error
    call.repository.refresh()
    call.state.event("push", "", call.repository, ref=f"refs/heads/{branch_name}", after=sha)
    blob = next(one for one in git.entries(sha, recursive=True) if one.path == path)
    made = shape(call, sha)
    commit = {**made["commit"], "sha": sha, "node_id": made["node_id"], "url": made["commit"]["url"],
              "html_url": made["html_url"], "parents": made["parents"]}  # fmt: skip
    body = {
        "content": _file(call, path, path.rpartition("/")[2], branch_name, blob.sha, blob.size, "file"),
        "commit": commit,
    }
    return Answer(200 if there else 201, body)
