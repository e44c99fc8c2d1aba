"""The comment of a run: fitted, published, and what it means when GitHub refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from gitops_bot.actions.commands import Console
from gitops_bot.actions.environment import Runner
from gitops_bot.actions.inputs import Inputs
from gitops_bot.text.escape import md_code
from gitops_bot.text.fit import fit_comment

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub
    from gitops_bot.text.view import View


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Where a comment goes."""

    number: int
    """Of the pull request, 0 when there is none."""
    head_sha: str
    """The commit that was reviewed: when the pull request has another one by now, nothing is written."""
    base_ref: str = ""
    """The branch that it was into; when it is another by now, nothing is written. ``""``: that does not matter."""
    report: str = ""
    """Directory of the report's files, ``""`` when there are none."""
    may_be_refused: bool = False
    """The token of this event is read-only by GitHub's rules: a refusal is no failure."""


def publish_comment(
    console: Console,
    github: GitHub,
    runner: Runner,
    inputs: Inputs,
    view: View,
    templates: Mapping[str, str],
    publication: Publication,
) -> str:
    """Bring the comment up to date and say in the log what became of it; its URL, ``""`` when there is none.

    Raises GitHubError, but not for a token that GitHub makes read-only for this event.
    """
    from gitops_bot.actions.sticky import publish
    from gitops_bot.doors.github.errors import AccessDenied

    def make(budget: int) -> tuple[str, str]:
        fitted = fit_comment(view, budget=budget, elsewhere=elsewhere(runner, publication.report), templates=templates)
        return fitted.text, fitted.digest

    try:
        done = publish(
            github,
            publication.number,
            publication.head_sha,
            inputs.comment_key,
            make,
            base_ref=publication.base_ref,
        )
    except AccessDenied:
        if not publication.may_be_refused:
            raise
        console.notice(
            "The token may not write here (a fork's or Dependabot's pull request), so the result is in the step summary"
            " only. docs/reference/forks.md shows how to get a comment safely.",
            title="gitops-bot",
        )
        return ""
    said = {
        "stale": "the pull request has a newer commit or another base, whose own run writes the comment",
        "closed": "the pull request is closed: the comment stays as it is",
    }
    console.say(f"comment: {said.get(done.action, done.action)} {done.url}".rstrip())
    return done.url


def elsewhere(runner: Runner, report: str) -> str:
    """Where a reader finds what a comment leaves out, as Markdown; ``report`` is where the report's files are."""
    summary = f"the [step summary]({runner.run_url})" if runner.run_url else "the step summary"
    return f"{summary} and the report in {md_code(report)}" if report else summary
