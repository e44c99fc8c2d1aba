"""What GitHub remembers: repositories, pulls, comments and all that hangs on commits; and the events it would send."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.github.exchange import Refusal
from tests.github.git import Bare, Person


@dataclass(eq=False)
class Account:
    """A user, an organisation or a bot."""

    id: int
    login: str
    """``ada``; ``gitops-bot[bot]`` for an app's bot."""
    type: str
    """``User``, ``Organization`` or ``Bot``."""
    site_admin: bool = False


@dataclass(eq=False)
class Comment:
    """A comment of a pull request's conversation."""

    id: int
    number: int
    author: Account
    body: str
    created_at: str
    updated_at: str
    app: str = ""
    """Slug of the app that wrote it."""
    minimized: str | None = None
    """Why it is folded (``OUTDATED``), None while it is not."""
    reactions: list[dict[str, Any]] = field(default_factory=list)
    edits: int = 0

    @property
    def node_id(self) -> str:
        return f"IC_{self.id}"

    @property
    def login(self) -> str:
        return self.author.login


@dataclass(eq=False)
class Pull:
    """A pull request."""

    id: int
    number: int
    repository: Repository
    head_repository: Repository
    head_ref: str
    base_ref: str
    title: str
    body: str | None
    author: Account
    created_at: str
    updated_at: str
    head_sha: str
    base_sha: str
    draft: bool = False
    state: str = "open"
    closed_at: str | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    mergeable: bool | None = True
    labels: list[str] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return f"PR_{self.id}"

    @property
    def fork(self) -> bool:
        return self.head_repository is not self.repository


@dataclass(eq=False)
class Repository:
    """A repository: its bare Git repository, and everything that is not Git."""

    id: int
    owner: Account
    name: str
    git: Bare
    state: State
    private: bool = False
    fork_of: Repository | None = None
    default_branch: str = "main"
    created_at: str = ""
    comments: dict[int, Comment] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By commit, oldest first."""
    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    dispatches: list[dict[str, Any]] = field(default_factory=list)
    """``repository_dispatch`` and ``workflow_dispatch`` requests, as they would start workflows."""
    pushes: list[dict[str, Any]] = field(default_factory=list)
    """Changes of branches with pull requests, oldest first: ``ref``, ``before``, ``after``, ``timestamp``."""
    squash_message: str = "COMMIT_MESSAGES"
    """What a squash merge's message is made of: ``COMMIT_MESSAGES``, ``PR_BODY`` or ``BLANK``."""
    merge_title: str = "MERGE_MESSAGE"
    """What a merge commit is called: ``MERGE_MESSAGE`` or ``PR_TITLE``."""
    permissions: dict[str, str] = field(default_factory=dict)
    """Role of people: ``admin``, ``maintain``, ``write``, ``triage``, ``read``."""
    signed: set[str] = field(default_factory=set)
    """Commits that GitHub signed, for whomever."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def node_id(self) -> str:
        return f"R_{self.id}"

    @property
    def path(self) -> Path:
        """Of the bare repository."""
        return self.git.path

    @property
    def clone_url(self) -> str:
        return f"{self.state.server_url}/{self.full_name}.git"

    def head(self, branch: str = "main") -> str:
        """The commit a branch points to."""
        found = self.git.ref(f"refs/heads/{branch}")
        if found is None:
            raise KeyError(branch)
        return found

    def commit(
        self, files: Mapping[str, str | bytes | None], branch: str = "main", message: str = "change", start: str = "",
        *, by: str = "", signed: bool = False,
    ) -> str:  # fmt: skip
        """Commit files (None removes one) on a branch, which begins at ``start`` (a branch) if it is new; its id.

        ``by`` is the login of who made it; GitHub signs what is made through its API.
        """
        ref = f"refs/heads/{branch}"
        parent = self.git.resolve(ref) or (self.git.resolve(start) if start else None)
        changes = [
            (path, "100644", None if content is None else self.git.write_blob(content.encode() if isinstance(content, str) else content))
            for path, content in files.items()
        ]  # fmt: skip
        who = self.state.person(self.state.account(by)) if by else None
        sha = self.git.write_commit(self.git.write_tree(parent, changes), [parent] if parent else [], message, who)
        self.signed |= {sha} if signed else set()
        self.git.update(ref, sha)
        self.refresh()
        return sha

    def protect(self, branch: str) -> None:
        """From now on nothing moves this branch, neither the API nor a push."""
        with (self.path / "protected").open("a") as file:
            file.write(f"refs/heads/{branch}\n")

    def sign_only(self, branch: str) -> None:
        """From now on a push to this branch is refused: its commits are not signed."""
        with (self.path / "signed").open("a") as file:
            file.write(f"refs/heads/{branch}\n")

    def no_workflows(self) -> None:
        """From now on a push that touches workflows is refused, as with an app's token."""
        (self.path / "no-workflows").touch()

    def protected(self, ref: str) -> bool:
        path = self.path / "protected"
        return path.is_file() and ref in path.read_text().splitlines()

    def pull(self, number: int) -> Pull:
        """A pull request.

        Raises:
            Refusal: 404, there is none of this number.
        """
        if number not in self.pulls:
            raise Refusal(404, "Not Found")
        return self.pulls[number]

    def comments_of(self, number: int) -> list[Comment]:
        return [comment for _, comment in sorted(self.comments.items()) if comment.number == number]

    def refresh(self) -> None:
        """Let pull requests follow their branches, as GitHub does after every push: head, base, merge commit, refs."""
        for pull in self.state.pulls_of(self):
            if pull.state == "open":
                _follow(pull)


def _follow(pull: Pull) -> None:
    base_git, head_git = pull.repository.git, pull.head_repository.git
    head = head_git.ref(f"refs/heads/{pull.head_ref}")
    base = base_git.ref(f"refs/heads/{pull.base_ref}")
    here = base_git.ref(f"refs/pull/{pull.number}/head")
    if head is None or base is None:
        return
    if here == head == pull.head_sha and pull.base_sha == base and pull.merge_commit_sha:
        return
    moved = pull.head_sha != head
    if moved or here is None:
        pushed = {"id": pull.repository.state.new_id(), "ref": f"refs/heads/{pull.head_ref}", "after": head,
                  "before": pull.head_sha if moved and pull.head_sha else "0" * 40,
                  "timestamp": pull.repository.state.now(), "login": pull.author.login}  # fmt: skip
        pull.head_repository.pushes.append(pushed)
    pull.head_sha, pull.base_sha = head, base
    if pull.fork:
        base_git.bring(head_git, f"refs/heads/{pull.head_ref}", f"refs/pull/{pull.number}/head")
    else:
        base_git.update(f"refs/pull/{pull.number}/head", head)
    tree = base_git.merge(base, head)
    pull.mergeable = tree is not None
    if tree is not None:
        pull.merge_commit_sha = base_git.write_commit(tree, [base, head], f"Merge {head} into {base}")
        base_git.update(f"refs/pull/{pull.number}/merge", pull.merge_commit_sha)
    if moved and here is not None:
        pull.updated_at = pull.repository.state.now()
        pull.repository.state.event("pull_request", "synchronize", pull.repository, number=pull.number, after=head)


class State:
    """Everything GitHub remembers."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self.folder = folder
        self.server_url = server_url
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[str, Repository] = {}
        """By full name in lower case."""
        self.events: list[dict[str, Any]] = []
        """Webhooks that would have been sent, oldest first."""
        self.ahead = 0.0
        """Seconds by which this GitHub's clock is ahead of the machine's."""
        self._ids = itertools.count(4_000_001)

    def new_id(self) -> int:
        """A number no object here had."""
        return next(self._ids)

    def clock(self) -> float:
        return time.time() + self.ahead

    def now(self, later: float = 0) -> str:
        """The time as GitHub writes it, in whole seconds."""
        return datetime.fromtimestamp(self.clock() + later, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def account(self, login: str, kind: str = "") -> Account:
        """The account of a login, made when it is new."""
        if login not in self.accounts:
            kind = kind or ("Bot" if login.endswith("[bot]") else "User")
            self.accounts[login] = Account(self.new_id(), login, kind)
        return self.accounts[login]

    def person(self, account: Account) -> Person:
        """Who stands in the commits that an account makes through the API, now."""
        return Person(account.login, f"{account.id}+{account.login}@users.noreply.github.com", self.now())

    def who(self, person: Person) -> Account | None:
        """The account of an author or committer, by the address; None for people without one."""
        number, plus, _ = person.email.removesuffix("@users.noreply.github.com").partition("+")
        return next((one for one in self.accounts.values() if plus and str(one.id) == number), None)

    def repository(self, full_name: str) -> Repository:
        """A repository.

        Raises:
            Refusal: 404, there is none of this name.
        """
        found = self.repositories.get(full_name.lower())
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def by_id(self, number: int) -> Repository | None:
        return next((one for one in self.repositories.values() if one.id == number), None)

    def add_repository(self, full_name: str, *, private: bool = False, fork_of: Repository | None = None) -> Repository:
        """Make a repository with its bare Git repository, empty or a fork of another."""
        owner, _, name = full_name.partition("/")
        made = Repository(
            self.new_id(), self.account(owner), name,
            Bare.create(self.folder / f"{full_name}.git", fork_of.git if fork_of else None),
            self, private, fork_of, created_at=self.now(),
        )  # fmt: skip
        self.repositories[full_name.lower()] = made
        return made

    def add_comment(self, repository: Repository, number: int, body: str, author: Account, app: str = "") -> Comment:
        now = self.now()
        comment = Comment(self.new_id(), number, author, body, now, now, app)
        repository.comments[comment.id] = comment
        self.event("issue_comment", "created", repository, number=number, comment=comment.id, sender=author.login)
        return comment

    def pulls_of(self, repository: Repository) -> list[Pull]:
        """Pull requests that a change of this repository may move: into it, and from it."""
        return [
            pull for one in self.repositories.values() for pull in one.pulls.values()
            if pull.repository is repository or pull.head_repository is repository
        ]  # fmt: skip

    def event(self, name: str, action: str, repository: Repository, /, **what: Any) -> None:
        self.events.append({"event": name, "action": action, "repository": repository.full_name, **what})
