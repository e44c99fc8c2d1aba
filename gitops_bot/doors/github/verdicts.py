"""What is said of a commit: statuses and check runs, read and written."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import AccessDenied
from gitops_bot.doors.github.pacing import Heard
from gitops_bot.model.github import CheckState, Status

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

LONGEST_DESCRIPTION = 140
"""Characters of a status' description that GitHub takes."""
LONGEST_SUMMARY = 65_000
"""Characters of a check run's summary; GitHub takes 65,535."""

Outcome = Literal["pending", "success", "failure", "neutral"]

_STATES = {"pending": "pending", "success": "success", "failure": "failure", "neutral": "success"}


class _Status(msgspec.Struct, frozen=True):
    context: str
    state: Literal["success", "pending", "failure", "error"]
    description: str | None = ""
    target_url: str | None = ""
    updated_at: datetime | None = None

    def value(self) -> Status:
        return Status(
            context=self.context, state=self.state, description=self.description or "", url=self.target_url or "",
            updated_at=self.updated_at,
        )  # fmt: skip


class _Combined(msgspec.Struct, frozen=True):
    statuses: tuple[_Status, ...] = ()


class _App(msgspec.Struct, frozen=True):
    slug: str | None = ""


class _Output(msgspec.Struct, frozen=True):
    title: str | None = ""


class _Run(msgspec.Struct, frozen=True):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    html_url: str | None = ""
    external_id: str | None = ""
    completed_at: datetime | None = None
    app: _App | None = None
    output: _Output = _Output()

    def value(self) -> CheckState:
        return CheckState(
            name=self.name, status=self.status, conclusion=self.conclusion, title=self.output.title or "",
            app=(self.app.slug or "") if self.app else "", url=self.html_url or "", completed_at=self.completed_at,
        )  # fmt: skip


class _Runs(msgspec.Struct, frozen=True):
    check_runs: tuple[_Run, ...] = ()


class VerdictDoor:
    """Statuses and check runs of the repository that the door is for. Every method raises GitHubError."""

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github
        self._checks_refused = False

    def statuses(self, commit: str) -> tuple[Status, ...]:
        """The newest status of every context of a commit, in order of contexts."""
        doing = f"reading the statuses of {commit[:12]}"
        path = f"{self._github.path}/commits/{quote(commit, safe='')}/status"
        call = Call("GET", path, doing, query={"per_page": "100"}, needs="statuses: read")
        found = [
            one.value()
            for heard in self._github.pages(call)
            for one in values.read(heard, _Combined, doing).statuses
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda one: one.context))

    def checks(self, commit: str) -> tuple[CheckState, ...]:
        """The newest check run of every name and app of a commit, in order of names and apps."""
        found = [one.value() for one in self._runs(commit, "")]
        return tuple(sorted(found, key=lambda one: (one.name, one.app)))

    def status(self, commit: str, context: str, outcome: Outcome, description: str, url: str = "") -> None:
        """Write a status, unless the newest of its context says the same."""
        state, text = _STATES[outcome], description[:LONGEST_DESCRIPTION]
        same = {"context": context, "state": state, "description": text, "url": url}

        def there() -> bool | None:
            told = next((one for one in self.statuses(commit) if one.context == context), None)
            return True if told is not None and {name: getattr(told, name) for name in same} == same else None

        if there():
            return
        doing = f"writing the status {context} of {commit[:12]}"
        body = {"state": state, "context": context, "description": text, **({"target_url": url} if url else {})}
        call = Call("POST", f"{self._github.path}/statuses/{commit}", doing, needs="statuses: write", body=body)
        self._github.create(call, there)

    def report(
        self, commit: str, name: str, outcome: Outcome, *, title: str, summary: str, url: str = ""
    ) -> Literal["check", "status"]:
        """Have a check run of this name say the outcome, with Markdown; a status where the token is no App's.

        A check run of ours that is there is updated. Returns which of the two it became.
        """
        if not self._checks_refused:
            try:
                self._check(commit, name, outcome, title, summary, url)
            except AccessDenied as error:
                if error.status == 401:
                    raise
                self._checks_refused = True
            else:
                return "check"
        self.status(commit, name, outcome, title, url)
        return "status"

    def _check(self, commit: str, name: str, outcome: Outcome, title: str, summary: str, url: str) -> None:
        doing = f"writing the check {name} of {commit[:12]}"
        output = {"title": title[:250] or name, "summary": _cut(summary) or title or name}
        done = {"status": "in_progress"} if outcome == "pending" else {"status": "completed", "conclusion": outcome}
        body = {
            "name": name,
            "output": output,
            "external_id": "gitops-bot",
            **done,
            **({"details_url": url} if url else {}),
        }
        path, needs = f"{self._github.path}/check-runs", "checks: write"

        def ours() -> _Run | None:
            return next((one for one in self._runs(commit, name) if one.external_id == "gitops-bot"), None)

        there = ours()
        if there is None:
            made = self._github.create(Call("POST", path, doing, needs=needs, body={**body, "head_sha": commit}), ours)
            if isinstance(made, Heard):
                return
            there = made
        self._github.ask(Call("PATCH", f"{path}/{there.id:d}", doing, needs=needs, body=body))

    def _runs(self, commit: str, name: str) -> list[_Run]:
        doing = f"reading the checks of {commit[:12]}"
        query = {"per_page": "100", **({"check_name": name} if name else {})}
        path = f"{self._github.path}/commits/{quote(commit, safe='')}/check-runs"
        call = Call("GET", path, doing, query=query, needs="checks: read")
        return [one for heard in self._github.pages(call) for one in values.read(heard, _Runs, doing).check_runs]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"
