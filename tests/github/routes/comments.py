"""Comments of a pull request's conversation, and the reactions to them."""

from __future__ import annotations

from typing import Any

from tests.github.exchange import Answer, Refusal, invalid
from tests.github.routes.accounts import user
from tests.github.routes.apps import integration
from tests.github.routes.pulls import association
from tests.github.routes.repositories import api_url, page_url
from tests.github.routing import Call, route
from tests.github.state import Comment, Repository

LONGEST = 65_536
_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def page_of(repository: Repository, comment: Comment) -> str:
    """Where people see a comment."""
    return f"{page_url(repository)}/pull/{comment.number}#issuecomment-{comment.id}"


def shape(call: Call, comment: Comment) -> dict[str, Any]:
    """A comment."""
    url = f"{api_url(call, call.repository)}/issues/comments/{comment.id}"
    given = [reaction["content"] for reaction in comment.reactions]
    return {
        "url": url, "html_url": page_of(call.repository, comment),
        "issue_url": f"{api_url(call, call.repository)}/issues/{comment.number}", "id": comment.id,
        "node_id": comment.node_id, "user": user(call, comment.author), "created_at": comment.created_at,
        "updated_at": comment.updated_at, "body": comment.body,
        "author_association": association(call.repository, comment.author),
        "reactions": {
            "url": f"{url}/reactions", "total_count": len(given), **{name: given.count(name) for name in _REACTIONS}
        },
        "performed_via_github_app": integration(call, comment.app) if comment.app else None,
        "minimized": {"reason": comment.minimized.lower()} if comment.minimized else None, "pin": None,
    }  # fmt: skip


def _text(call: Call) -> str:
    body = call.required("IssueComment", "body")
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    if len(body) > LONGEST:
        raise invalid("IssueComment", "data", "unprocessable", f"Body is too long (maximum is {LONGEST} characters)")
    return str(body)


def _comment(call: Call) -> Comment:
    comment = call.repository.comments.get(call.number("comment_id"))
    if comment is None:
        raise Refusal(404, "Not Found")
    return comment


def _writable(call: Call) -> Comment:
    """The comment, if the caller may change it: its own, or with the right to write contents."""
    comment = _comment(call)
    if comment.author is not call.caller.account and not call.caller.may("contents:write"):
        raise call.caller.refused()
    return comment


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues:read", "pull_requests:read")
def list_comments(call: Call) -> Answer:
    """The comments of a pull request, oldest first."""
    call.repository.pull(call.number("issue_number"))
    since = call.request.query.get("since", "")
    found = [one for one in call.repository.comments_of(call.number("issue_number")) if one.updated_at >= since]
    items, headers = call.page(found)
    return Answer(200, [shape(call, one) for one in items], headers)


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues:write", "pull_requests:write")
def create(call: Call) -> Answer:
    """Comment."""
    pull = call.repository.pull(call.number("issue_number"))
    text = _text(call)
    comment = call.state.add_comment(call.repository, pull.number, text, call.caller.account, call.caller.app)
    made = shape(call, comment)
    return Answer(201, made, {"Location": made["url"]})


@route("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", "issues:read", "pull_requests:read")
def get(call: Call) -> Answer:
    """One comment."""
    return Answer(200, shape(call, _comment(call)))


@route("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", "issues:write", "pull_requests:write")
def update(call: Call) -> Answer:
    """Change a comment's text."""
    comment = _writable(call)
    comment.body = _text(call)
    comment.updated_at = call.state.now()
    comment.edits += 1
    call.state.event("issue_comment", "edited", call.repository, number=comment.number, comment=comment.id)
    return Answer(200, shape(call, comment))


@route("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", "issues:write", "pull_requests:write")
def delete(call: Call) -> Answer:
    """Delete a comment."""
    comment = _writable(call)
    del call.repository.comments[comment.id]
    call.state.event("issue_comment", "deleted", call.repository, number=comment.number, comment=comment.id)
    return Answer(204)


def _reaction(call: Call, reaction: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": reaction["id"], "node_id": f"REA_{reaction['id']}", "user": user(call, call.state.account(reaction["login"])),
        "content": reaction["content"], "created_at": reaction["created_at"],
    }  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", "issues:read", "pull_requests:read")
def reactions(call: Call) -> Answer:
    """The reactions to a comment."""
    items, headers = call.page(_comment(call).reactions)
    return Answer(200, [_reaction(call, one) for one in items], headers)


@route("POST", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", "issues:write", "pull_requests:write")
def react(call: Call) -> Answer:
    """React to a comment; the same reaction again is answered with the one there is."""
    content = call.required("Reaction", "content")
    if content not in _REACTIONS:
        raise invalid("Reaction", "content", "invalid")
    comment = _comment(call)
    for one in comment.reactions:
        if (one["login"], one["content"]) == (call.caller.login, content):
            return Answer(200, _reaction(call, one))
    made = {"id": call.state.new_id(), "login": call.caller.login, "content": content, "created_at": call.state.now()}
    comment.reactions.append(made)
    return Answer(201, _reaction(call, made))


@route(
    "DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}",
    "issues:write", "pull_requests:write",
)  # fmt: skip
def unreact(call: Call) -> Answer:
    """Take a reaction back."""
    comment = _comment(call)
    left = [one for one in comment.reactions if one["id"] != call.number("reaction_id")]
    if len(left) == len(comment.reactions):
        raise Refusal(404, "Not Found")
    comment.reactions = left
    return Answer(204)
