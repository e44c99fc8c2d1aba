"""Git's own objects: refs, commits, trees, blobs."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tests.github.exchange import Answer, Refusal
from tests.github.git import NOBODY, GitFailed, Person
from tests.github.routes.commits import parents, person, verification
from tests.github.routes.repositories import api_url, page_url
from tests.github.routing import Call, route

_MODES = {"blob": ("100644", "100755", "120000"), "tree": ("040000",), "commit": ("160000",)}


def _ref(call: Call, name: str, sha: str) -> dict[str, Any]:
    url, kind = api_url(call, call.repository), call.repository.git.kind(sha)
    return {
        "ref": name, "node_id": f"REF_{name}", "url": f"{url}/git/{name}",
        "object": {"sha": sha, "type": kind, "url": f"{url}/git/{kind}s/{sha}"},
    }  # fmt: skip


def _known(call: Call) -> tuple[str, str]:
    name = f"refs/{call.parameters['ref']}"
    sha = call.repository.git.ref(name)
    if sha is None:
        raise Refusal(404, "Not Found")
    return name, sha


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref}", "contents:read")
def get_ref(call: Call) -> Answer:
    """One ref (``heads/main``)."""
    return Answer(200, _ref(call, *_known(call)))


@route("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref}", "contents:read")
def matching(call: Call) -> Answer:
    """The refs that begin so."""
    items, headers = call.page(list(call.repository.git.refs(f"refs/{call.parameters['ref']}").items()))
    return Answer(200, [_ref(call, name, sha) for name, sha in items], headers)


def _moved(call: Call, ref: str, after: str) -> None:
    call.repository.refresh()
    call.state.event("push", "", call.repository, ref=ref, after=after)


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents:write")
def create_ref(call: Call) -> Answer:
    """Make a branch or tag."""
    name, sha = call.required("Reference", "ref"), call.required("Reference", "sha")
    git = call.repository.git
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs/'.")
    if git.ref(name):
        raise Refusal(422, "Reference already exists")
    try:
        if git.kind(sha) is None:
            raise Refusal(422, "Object does not exist")
        git.update(name, sha, NOBODY)
    except GitFailed as error:
        raise Refusal(422, "Reference could not be created") from error
    _moved(call, name, sha)
    return Answer(201, _ref(call, name, sha))


@route("PATCH", "/repos/{owner}/{repo}/git/refs/{ref}", "contents:write")
def update_ref(call: Call) -> Answer:
    """Move a ref; forwards only, unless forced."""
    git = call.repository.git
    name = f"refs/{call.parameters['ref']}"
    before = git.ref(name)
    if before is None:
        raise Refusal(422, "Reference does not exist")
    sha = call.required("Reference", "sha")
    if git.kind(sha) is None:
        raise Refusal(422, "Object does not exist")
    if call.repository.protected(name):
        raise Refusal(422, "Repository rule violations found")
    if not call.body().get("force") and git.merge_base(before, sha) != before:
        raise Refusal(422, "Update is not a fast forward")
    git.update(name, sha, before)
    _moved(call, name, sha)
    return Answer(200, _ref(call, name, sha))


@route("DELETE", "/repos/{owner}/{repo}/git/refs/{ref}", "contents:write")
def delete_ref(call: Call) -> Answer:
    """Delete a branch or tag."""
    name = f"refs/{call.parameters['ref']}"
    if call.repository.git.ref(name) is None:
        raise Refusal(422, "Reference does not exist")
    if call.repository.protected(name):
        raise Refusal(422, "Cannot delete this branch")
    call.repository.git.delete(name)
    _moved(call, name, NOBODY)
    return Answer(204)


def _commit(call: Call, sha: str) -> dict[str, Any]:
    url, commit = api_url(call, call.repository), call.repository.git.commit(sha)
    return {
        "sha": sha, "node_id": f"C_{sha}", "url": f"{url}/git/commits/{sha}",
        "html_url": f"{page_url(call.repository)}/commit/{sha}", "author": person(commit.author),
        "committer": person(commit.committer), "tree": {"sha": commit.tree, "url": f"{url}/git/trees/{commit.tree}"},
        "message": commit.message, "verification": verification(call, commit),
        "parents": [{**one, "url": f"{url}/git/commits/{one['sha']}"} for one in parents(call, commit)],
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}", "contents:read")
def get_commit(call: Call) -> Answer:
    """One commit, as Git has it."""
    if call.repository.git.kind(call.parameters["commit_sha"]) != "commit":
        raise Refusal(404, "Not Found")
    return Answer(200, _commit(call, call.parameters["commit_sha"]))


@route("POST", "/repos/{owner}/{repo}/git/commits", "contents:write")
def create_commit(call: Call) -> Answer:
    """Store a commit; without author and by an app it is GitHub's signed one."""
    git, asked = call.repository.git, call.body()
    message, tree = call.required("Commit", "message"), call.required("Commit", "tree")
    if git.kind(tree) != "tree" or any(git.kind(one) != "commit" for one in asked.get("parents") or []):
        raise Refusal(
            422,
            "Tree SHA does not exist"
            if git.kind(tree) != "tree"
            else "Parent SHA does not exist or is not a commit object",
        )
    people = {}
    for role in ("author", "committer"):
        if asked.get(role):
            who = asked[role]
            people[role] = Person(who["name"], who["email"], who.get("date") or call.state.now())
    default = call.state.person(call.caller.account)
    sha = git.write_commit(
        tree, asked.get("parents") or [], message, people.get("author", default), people.get("committer")
    )
    if not people and call.caller.is_app:
        call.repository.signed.add(sha)
    return Answer(201, _commit(call, sha))


def _tree(call: Call, sha: str, *, recursive: bool) -> dict[str, Any]:
    url = api_url(call, call.repository)
    entries = []
    for one in call.repository.git.entries(sha, recursive=recursive):
        entry: dict[str, Any] = {"path": one.path, "mode": one.mode, "type": one.type, "sha": one.sha}
        if one.type == "blob":
            entry["size"] = one.size
        if one.type != "commit":
            entry["url"] = f"{url}/git/{one.type}s/{one.sha}"
        entries.append(entry)
    return {"sha": sha, "url": f"{url}/git/trees/{sha}", "tree": entries, "truncated": False}


@route("GET", "/repos/{owner}/{repo}/git/trees/{tree_sha}", "contents:read")
def get_tree(call: Call) -> Answer:
    """A tree, with what is below it when ``recursive`` is asked for with any value."""
    try:
        sha = call.repository.git.run("rev-parse", "--verify", "--quiet", f"{call.parameters['tree_sha']}^{{tree}}")
    except GitFailed as error:
        raise Refusal(404, "Not Found") from error
    return Answer(200, _tree(call, sha, recursive="recursive" in call.request.query))


@route("POST", "/repos/{owner}/{repo}/git/trees", "contents:write")
def create_tree(call: Call) -> Answer:
    """Store a tree: ``base_tree`` with changes, where a sha of null removes the path."""
    git, asked = call.repository.git, call.body()
    base = asked.get("base_tree")
    if base is not None and git.kind(base) not in ("tree", "commit"):
        raise Refusal(422, "base_tree is not a valid tree oid")
    changes: list[tuple[str, str, str | None]] = []
    for one in call.required("Tree", "tree", list):
        mode = one.get("mode", "100644")
        if mode not in (known for modes in _MODES.values() for known in modes):
            raise Refusal(422, f"Must supply a valid tree.mode: {mode}")
        sha = git.write_blob(one["content"].encode()) if "content" in one else one.get("sha")
        if sha is not None and git.kind(sha) is None and mode != "160000":
            raise Refusal(422, f"tree.sha {sha} is not a valid blob")
        changes.append((one["path"], mode, sha))
    return Answer(201, _tree(call, git.write_tree(base, changes), recursive=False))


@route("GET", "/repos/{owner}/{repo}/git/blobs/{file_sha}", "contents:read")
def get_blob(call: Call) -> Answer:
    """A file's content in Base64."""
    sha, git = call.parameters["file_sha"], call.repository.git
    if git.kind(sha) != "blob":
        raise Refusal(404, "Not Found")
    content = git.blob(sha)
    url = f"{api_url(call, call.repository)}/git/blobs/{sha}"
    text = base64.encodebytes(content).decode()
    return Answer(
        200,
        {"sha": sha, "node_id": f"B_{sha}", "size": len(content), "url": url, "content": text, "encoding": "base64"},
    )


@route("POST", "/repos/{owner}/{repo}/git/blobs", "contents:write")
def create_blob(call: Call) -> Answer:
    """Store a file's content."""
    content = call.required("Blob", "content")
    try:
        raw = base64.b64decode(content, validate=False) if call.body().get("encoding") == "base64" else content.encode()
    except binascii.Error as error:
        raise Refusal(422, "content is not valid Base64") from error
    sha = call.repository.git.write_blob(raw)
    return Answer(201, {"sha": sha, "url": f"{api_url(call, call.repository)}/git/blobs/{sha}"})
