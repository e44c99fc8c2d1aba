"""Pull requests that we open ourselves: found, made, brought up to date, labelled and closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import AccessDenied
from gitops_bot.doors.github.pacing import Heard
from gitops_bot.errors import GitHubError
from gitops_bot.model.github import PullRequest

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

_READ = "pull-requests: read"
_WRITE = "pull-requests: write"
_WORKFLOWS = "github-actions[bot]"


class PullDoor:
    """Pull requests between branches of the repository that the door is for. Every method raises GitHubError."""

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github

    @property
    def waits_for_approval(self) -> bool:
        """Whether the token is a workflow's own, whose pushes and pull requests start no workflows by themselves."""
        return self._github.login() == _WORKFLOWS

    def login(self) -> str:
        """Who we are at what we write."""
        return self._github.login()

    def opened(self, base: str = "") -> tuple[PullRequest, ...]:
        """The open ones into a branch (``""``: into any) from branches of this repository, lowest number first."""
        return self._list({"state": "open", **({"base": base} if base else {})})

    def of_branch(self, branch: str, *, state: str = "open") -> tuple[PullRequest, ...]:
        """Those of a branch of this repository by state (``open``, ``closed``, ``all``), lowest number first."""
        owner = self._github.repository.partition("/")[0]
        found = self._list({"state": state, "head": f"{owner}:{branch}"})
        return tuple(pull for pull in found if pull.head_ref == branch)

    def create(self, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open one from a branch of this repository; the one that is open already, where there is one."""
        doing = f"opening a pull request of {head} into {base} in {self._github.repository}"
        given = {"head": head, "base": base, "title": title, "body": body, "maintainer_can_modify": False}
        call = Call("POST", f"{self._github.path}/pulls", doing, needs=_WRITE, body=given)

        def there() -> PullRequest | None:
            return next((pull for pull in self.of_branch(head) if pull.base_ref == base), None)

        try:
            made = self._github.create(call, there)
        except AccessDenied as error:
            if "not permitted to create" not in error.message:
                raise
            raise AccessDenied(error.message, writing=True, hint=(
                "allow it in the repository's settings: Actions, General, 'Allow GitHub Actions to create and approve "
                "pull requests'; or use an App's token"
            )) from None  # fmt: skip
        except GitHubError as error:
            found = there() if "already exists" in error.message else None
            if found is None:
                raise
            return found
        return values.read(made, values.Pull, doing).value() if isinstance(made, Heard) else made

    def edit(self, number: int, *, title: str, body: str, base: str) -> PullRequest:
        """Replace title, body and base."""
        return self._patched(number, "editing", {"title": title, "body": body, "base": base})

    def close(self, number: int, body: str) -> PullRequest:
        """Close one without merging it, and replace its body in the same step."""
        return self._patched(number, "closing", {"state": "closed", "body": body})

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Put labels on one, beside those it has; a label that the repository does not have is made by GitHub."""
        doing = f"labelling {self._github.repository}#{number}"
        path = f"{self._github.path}/issues/{number:d}/labels"
        # The same labels again change nothing, so there is nothing to look for before it is sent again.
        self._github.create(Call("POST", path, doing, needs=_WRITE, body={"labels": list(labels)}), lambda: None)

    def _patched(self, number: int, verb: str, given: dict[str, object]) -> PullRequest:
        doing = f"{verb} pull request {self._github.repository}#{number}"
        heard = self._github.ask(
            Call("PATCH", f"{self._github.path}/pulls/{number:d}", doing, needs=_WRITE, body=given)
        )
        return values.read(heard, values.Pull, doing).value()

    def _list(self, query: dict[str, str]) -> tuple[PullRequest, ...]:
        doing = f"listing pull requests of {self._github.repository}"
        call = Call("GET", f"{self._github.path}/pulls", doing, query={**query, "per_page": "100"}, needs=_READ)
        found = [
            pull.value()
            for heard in self._github.pages(call)
            for pull in values.read(heard, list[values.Pull], doing)
        ]  # fmt: skip
        own = self._github.repository.casefold()
        ours = [pull for pull in found if pull.head_repository.casefold() == own]
        return tuple(sorted(ours, key=lambda pull: pull.number))
