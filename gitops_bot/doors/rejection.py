"""Why a branch did not take a commit, recognised in the words of GitHub's API and of ``git push``. Pure.

The words are not promised by anybody and differ between the two, between classic protection and rulesets, and between
server versions, so several signs stand for each reason; what matches none stays what it was.
"""

from __future__ import annotations

import re
from typing import Literal

from gitops_bot.errors import GitHubError

Kind = Literal["moved", "protected", "signatures", "workflows", "secrets", "size", "name", "access", "other"]

_SIGNS: tuple[tuple[Kind, str], ...] = (
    ("workflows", r"without `?workflows?`? (?:permission|scope)|refusing to allow an? .{0,60}\bworkflow"),
    ("secrets", r"cannot contain secrets|secret scanning|push protection"),
    ("protected", r"through a pull request|through the merge queue|required status check|required workflow"),
    ("signatures", r"verified signature|must be signed|commits must have .{0,20}signature"),
    ("protected", r"GH006|GH013|protected branch|protected ref|repository rule violation|not authorized to push"),
    ("size", r"GH001|exceeds GitHub's file size|file is too large|larger than .{0,20}limit"),
    ("name", r"exists; cannot create|refusing to update checked out|invalid refspec|is not a valid ref|funny refname"),
    ("moved", (
        r"expected branch to point to|pull and try again|fetch first|stale info|incorrect old value|stale_data|"
        r"cannot lock ref|not a fast[ -]?forward|non-fast-forward|failed to update ref|but expected|"
        r"reference already exists|remote ref updated since|unable to update .{0,60}reference|"
        r"reference update failed|base branch was modified|head branch was modified"
    )),
    ("access", (
        r"permission (?:to|for) .{0,200}denied|permission denied|denied to|access (?:to repository )?not granted|"
        r"authentication failed|could not read username|error: 40[13]|not accessible by|read[ -]only|"
        r"bad credentials|repository not found|terminal prompts disabled|host key verification failed"
    )),
)  # fmt: skip
"""In order: the first that is found is told. What a pull request would help with comes before what it would not."""

_HINTS: dict[Kind, str] = {
    "moved": "others were always faster; run it again, or let jobs that write to this branch run one after the other",
    "protected": "let commit.mode be auto or pull-request, or let the bot's App bypass the branch's rules",
    "signatures": "commit through the API with an App's or the workflow's token (commit.mode: api), which GitHub signs",
    "workflows": "a workflow's own token never may: use an App's token with the permission workflows: write",
    "secrets": "something in the commit looks like a secret to GitHub; take it out, it must not be in Git",
    "size": "keep large files out of the repository",
    "name": "another branch's name is in the way: delete or rename the branch that GitHub names",
    "access": "give the token contents: write (and pull-requests: write); a deploy key needs write access",
    "other": "GitHub's own words tell more; if a rule or a hook refuses it, a pull request may be the way",
}
_ASIDE: dict[Kind, str] = {
    "moved": "the branch has moved",
    "protected": "the branch is protected",
    "signatures": "the branch takes commits with verified signatures only",
    "workflows": "the token may not change files under .github/workflows",
    "secrets": "GitHub found a secret in the commit",
    "size": "a file is too large",
    "name": "the name cannot be used",
    "access": "the token or key may not write there",
    "other": "it was refused",
}


class Rejected(GitHubError):
    """A commit or reference was refused, and nothing was written."""

    def __init__(self, message: str, kind: Kind, *, hint: str = "") -> None:
        """Take what was refused in whose words, and why; ``hint`` is the fix, when empty that of the reason."""
        super().__init__(message, hint=hint or _HINTS[kind])
        self.kind = kind


def kind_of(said: str) -> Kind | None:
    """The reason that the words of a refusal give, None when they give none that is known."""
    flat = " ".join(said.split())
    return next((kind for kind, signs in _SIGNS if re.search(signs, flat, re.IGNORECASE)), None)


def kind_of_error(error: GitHubError, doing: str) -> Kind | None:
    """The reason in GitHub's words of an error, without our own, in which names of branches stand."""
    return kind_of(error.message.replace(doing, ""))


def rejected(doing: str, said: str, kind: Kind) -> Rejected:
    """The error for what was refused (``committing to main of acme/shop``) in these words, which hold no secret."""
    words = " ".join(said.split())
    return Rejected(f"{doing}: {_ASIDE[kind]}{f' ({words[:300]})' if words else ''}", kind)
