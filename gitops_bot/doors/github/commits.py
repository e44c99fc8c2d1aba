"""Commits at GitHub: made on a branch in one step, made of Git's objects, compared, and read.

GitHub signs what ``createCommitOnBranch`` makes, whoever asks, and takes it only while the branch points to the commit
that was read: compare and swap. It knows no file modes, so what touches another than 100644 is made of Git's objects,
which GitHub signs for Apps and workflows.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.pacing import Heard, Patience
from gitops_bot.doors.rejection import kind_of_error, rejected
from gitops_bot.errors import GitHubError
from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.model.writeback import FileChange

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

WRITING = Patience(seconds=600.0, requests=200, creations=100)
"""What a run that writes may ask. A branch that others write to refuses an attempt for one request; forty attempts and
a pull request with labels, or twenty attempts with Git's objects at two creations each, are below this, and this is
far below what GitHub allows the token in an hour. Ten minutes: a job that waited longer would hold up a queue."""

_NEEDS = "contents: write"
_READS = "contents: read"
_COMMIT = """mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url } }
}"""
_PAGE = 100
_MOST_PAGES = 3
"""Pages of a comparison that are read, from its newest end."""
_MOST_FILES = 300
"""Files of a commit that one answer holds."""


class Made(NamedTuple):
    """A commit that was made."""

    oid: str
    url: str
    """Of its page."""


class _GraphCommit(msgspec.Struct, frozen=True):
    oid: str
    url: str = ""


class _CommitPayload(msgspec.Struct, frozen=True):
    commit: _GraphCommit


class _CommitData(msgspec.Struct, frozen=True):
    made: _CommitPayload = msgspec.field(name="createCommitOnBranch")


class _CommitAnswer(msgspec.Struct, frozen=True):
    data: _CommitData


class _Object(msgspec.Struct, frozen=True):
    sha: str
    html_url: str = ""


class _Person(msgspec.Struct, frozen=True):
    name: str = ""
    date: datetime | None = None


class _Verification(msgspec.Struct, frozen=True):
    verified: bool = False


class _Git(msgspec.Struct, frozen=True):
    message: str = ""
    author: _Person | None = None
    committer: _Person | None = None
    verification: _Verification = _Verification()


class _User(msgspec.Struct, frozen=True):
    login: str = ""


class _File(msgspec.Struct, frozen=True):
    filename: str
    previous_filename: str = ""


class _Commit(msgspec.Struct, frozen=True):
    """A commit as REST tells it."""

    sha: str
    commit: _Git
    html_url: str = ""
    author: _User | None = None
    parents: tuple[_Object, ...] = ()
    files: tuple[_File, ...] | None = None
    """None in lists of commits."""

    def value(self, own: str) -> CommitInfo:
        """The same as our value; ``own`` is our login."""
        name = self.commit.author.name if self.commit.author else ""
        login = self.author.login if self.author else ""
        return CommitInfo(
            sha=self.sha,
            message=self.commit.message,
            parents=tuple(one.sha for one in self.parents),
            author=login or name,
            own_login=bool(own) and login.casefold() == own.casefold() and self.commit.verification.verified,
            committed_at=self.commit.committer.date if self.commit.committer else None,
            url=self.html_url,
            paths=self._paths(),
        )

    def _paths(self) -> tuple[str, ...] | None:
        if self.files is None or len(self.files) >= _MOST_FILES:
            return None
        names = (name for file in self.files for name in (file.previous_filename, file.filename) if name)
        return tuple(dict.fromkeys(names))


class _Compared(msgspec.Struct, frozen=True):
    status: str
    total_commits: int
    html_url: str = ""
    commits: tuple[_Commit, ...] = ()


class CommitDoor:
    """The commits of the repository that the door is for. Every method raises GitHubError."""

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github

    # -- making -------------------------------------------------------------------------------------------------------

    def on_branch(self, branch: str, expected: str, headline: str, body: str, files: Sequence[FileChange]) -> Made:
        """Commit plain files on a branch that points to ``expected``; the commit, made exactly once.

        ``headline`` is the message's first line, ``body`` the rest. After a lost answer the branch is looked at before
        anything is sent again. Raises Rejected: ``moved`` when the branch points elsewhere and the commit is not on it,
        ``protected`` and others when it does not take the commit.
        """
        github, doing = self._github, f"committing to {branch} of {self._github.repository}"
        changes = {
            "additions": [
                {"path": one.path, "contents": base64.b64encode(one.content).decode()}
                for one in files if one.content is not None
            ],
            "deletions": [{"path": one.path} for one in files if one.content is None],
        }  # fmt: skip
        given = {
            "branch": {"repositoryNameWithOwner": github.repository, "branchName": branch},
            "expectedHeadOid": expected,
            "message": {"headline": headline, **({"body": body} if body else {})},
            # A list that is empty or null makes GitHub refuse with words that do not say why.
            "fileChanges": {name: list(change) for name, change in changes.items() if change},
        }
        message = f"{headline}\n\n{body}" if body else headline
        looked = False

        def there() -> Made | None:
            nonlocal looked
            looked = True
            return self._child(branch, expected, message)

        try:
            made = github.create(github.graphql(_COMMIT, {"input": given}, doing, needs=_NEEDS), there)
        except GitHubError as error:
            kind = kind_of_error(error, doing)
            # What seemed lost may have been done after it was looked for: then it is in its own way.
            found = there() if looked and kind == "moved" else None
            if found is not None:
                return found
            if kind is None or kind == "access":
                raise
            raise rejected(doing, error.message, kind) from None
        if isinstance(made, Heard):
            commit = values.read(made, _CommitAnswer, doing).data.made.commit
            return Made(commit.oid, commit.url)
        return made

    def _child(self, branch: str, parent: str, message: str) -> Made | None:
        """The commit on a branch that followed ``parent`` with this message; None when there is none.

        A branch moves by compare and swap, so one commit at most follows ``parent``.
        """
        page = self._compared(parent, branch, 1).commits
        found = next((one for one in page if parent in [each.sha for each in one.parents[:1]]), None)
        same = found is not None and _plain(found.commit.message) == _plain(message)
        return Made(found.sha, found.html_url) if found is not None and same else None

    def of_objects(self, parent: str, message: str, files: Sequence[FileChange]) -> Made:
        """Store a commit with one parent, on no branch yet; any file mode. Storing it twice is harmless."""
        github, path = self._github, f"{self._github.path}/git"
        doing = f"storing a commit in {github.repository}"
        entries = [
            {"path": one.path, "mode": one.mode, "type": "blob",
             "sha": None if one.content is None else self._blob(one.content)}
            for one in files
        ]  # fmt: skip
        tree = self._stored(Call("POST", f"{path}/trees", doing, needs=_NEEDS,
                                 body={"base_tree": parent, "tree": entries}))  # fmt: skip
        # Without author, committer and signature GitHub signs it for Apps.
        body = {"message": message, "tree": tree.sha, "parents": [parent]}
        commit = self._stored(Call("POST", f"{path}/commits", doing, needs=_NEEDS, body=body))
        return Made(commit.sha, commit.html_url)

    def _blob(self, content: bytes) -> str:
        doing = f"storing a file in {self._github.repository}"
        body = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        return self._stored(Call("POST", f"{self._github.path}/git/blobs", doing, needs=_NEEDS, body=body)).sha

    def _stored(self, call: Call) -> _Object:
        try:
            # Nobody sees an object before a reference leads to it, so there is nothing to look for.
            made = self._github.create(call, lambda: None)
        except GitHubError as error:
            kind = kind_of_error(error, call.doing)
            if kind is None or kind == "access":
                raise
            raise rejected(call.doing, error.message, kind) from None
        return values.read(made, _Object, call.doing)

    def on(self, branch: str, commit: str) -> bool:
        """Whether a branch has a commit, at its tip or below it."""
        return self._compared(commit, branch, 1).status in ("identical", "ahead")

    # -- reading ------------------------------------------------------------------------------------------------------

    def commit(self, revision: str) -> CommitInfo:
        """A commit by branch, tag or id. Raises NotFound too."""
        doing = f"reading {revision} of {self._github.repository}"
        path = f"{self._github.path}/commits/{quote(revision)}"
        heard = self._github.ask(Call("GET", path, doing, needs=_READS))
        return values.read(heard, _Commit, doing).value(self._github.login())

    def touching(self, path: str, revision: str) -> tuple[CommitInfo, ...]:
        """The newest hundred commits of a revision that changed a file, newest first. Raises NotFound too."""
        doing = f"reading who changed {path} of {self._github.repository}"
        query = {"path": path, "sha": revision, "per_page": str(_PAGE)}
        heard = self._github.ask(Call("GET", f"{self._github.path}/commits", doing, query=query, needs=_READS))
        own = self._github.login()
        return tuple(one.value(own) for one in values.read(heard, tuple[_Commit, ...], doing))

    def compare(self, base: str, head: str, repository: str = "") -> Commits:
        """The commits that ``head`` has and ``base`` has not; both are branches, tags or ids. Raises NotFound too.

        ``repository`` is another one than the door's (``owner/name``). At most the newest three hundred are read.
        """
        own = self._github.login()
        first = self._compared(base, head, 1, repository)
        last = -(-first.total_commits // _PAGE)
        pages = {1: first.commits} if last <= _MOST_PAGES else {}
        for page in range(max(last - _MOST_PAGES + 1, 1), last + 1):
            if page not in pages:
                pages[page] = self._compared(base, head, page, repository).commits
        listed = [one.value(own) for page in sorted(pages) for one in pages[page]]
        return Commits(commits=tuple(reversed(listed)), total=first.total_commits, url=first.html_url)

    def _compared(self, base: str, head: str, page: int, repository: str = "") -> _Compared:
        """One page of a comparison, oldest commits first."""
        where = repository or self._github.repository
        doing = f"comparing {base} with {head} in {where}"
        path = f"/repos/{quote(where)}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        query = {"per_page": str(_PAGE), **({"page": str(page)} if page > 1 else {})}
        heard = self._github.ask(Call("GET", path, doing, query=query, needs=_READS, page=page > 1))
        return values.read(heard, _Compared, doing)


def _plain(message: str) -> str:
    """A commit's message without what Git and GitHub change about white space."""
    return "\n".join(line.rstrip() for line in message.strip().splitlines())
