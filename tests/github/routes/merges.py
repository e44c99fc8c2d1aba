"""The commits that merging a pull request makes, with the messages that GitHub gives them."""

from __future__ import annotations

from collections.abc import Callable

from tests.github.exchange import Refusal
from tests.github.routing import Call
from tests.github.state import Account, Pull


def _merged(call: Call, pull: Pull) -> str:
    """A merge commit."""
    git, title = (
        pull.repository.git,
        f"Merge pull request #{pull.number} from {pull.repository.owner.login}/{pull.head_ref}",
    )
    message = f"{title}\n\n{pull.title}"
    if pull.repository.merge_title == "PR_TITLE":
        message = f"{pull.title} (#{pull.number})"
    tree = git.merge(pull.base_sha, pull.head_sha)
    assert tree is not None
    return _signed(call, tree, [pull.base_sha, pull.head_sha], message, call.caller.account)


def _squashed(call: Call, pull: Pull) -> str:
    """One commit of whoever opened the pull request; others who wrote what is in it are named below the message."""
    git, commits = pull.repository.git, _commits(pull)
    authors = [git.commit(sha).author for sha in commits]
    messages = [git.commit(sha).message for sha in commits]
    first, _, rest = messages[0].partition("\n")
    title, body = (first, rest.strip()) if len(messages) == 1 else (pull.title, "")
    if pull.repository.squash_message == "BLANK":
        title, body = pull.title, ""
    elif pull.repository.squash_message == "PR_BODY":
        title, body = pull.title, (pull.body or "").strip()
    elif len(messages) > 1:
        body = "\n\n".join(f"* {each}" for each in messages)
    others = dict.fromkeys(
        f"Co-authored-by: {who.name} <{who.email}>" for who in authors if who.name != pull.author.login
    )
    named = "\n".join(others)
    if named and len(messages) > 1:
        named = f"---------\n\n{named}"
    message = "\n\n".join(part for part in (f"{title} (#{pull.number})", body, named) if part)
    tree = git.merge(pull.base_sha, pull.head_sha)
    assert tree is not None
    return _signed(call, tree, [pull.base_sha], message, pull.author)


def _rebased(call: Call, pull: Pull) -> str:
    """The commits again, each on top of the other."""
    git, tip = pull.repository.git, pull.base_sha
    for sha in _commits(pull):
        commit = git.commit(sha)
        if len(commit.parents) > 1:
            continue
        # What the commit changed, on another base: their ancestor is the commit's own parent.
        base = git.write_commit(git.commit(tip).tree, commit.parents[:1], "base")
        tree = git.merge(base, sha)
        if tree is None:
            raise Refusal(405, "This branch can't be rebased")
        tip = git.write_commit(tree, [tip], commit.message, commit.author, call.state.person(call.caller.account))
    return tip


def _signed(call: Call, tree: str, parents: list[str], message: str, who: Account) -> str:
    """A commit by somebody that GitHub makes and signs."""
    author = call.state.person(who)
    committer = author._replace(name="GitHub", email="noreply@github.com")
    made = call.repository.git.write_commit(tree, parents, message, author, committer)
    call.repository.signed.add(made)
    return made


def _commits(pull: Pull) -> list[str]:
    """What the pull request has and its base has not, oldest first."""
    listed = pull.repository.git.run("rev-list", "--reverse", "--topo-order", f"{pull.base_sha}..{pull.head_sha}")
    return listed.split()


MADE: dict[str, Callable[[Call, Pull], str]] = {"merge": _merged, "squash": _squashed, "rebase": _rebased}
"""By ``merge_method``."""
