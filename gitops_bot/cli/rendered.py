"""The rendered diff of what is proposed, as Markdown for its pull request: the one place where two rooms meet."""

from __future__ import annotations

import msgspec

from gitops_bot.cli.reviewer import Revisions, run_review
from gitops_bot.cli.writing import Place
from gitops_bot.doors.history import bring
from gitops_bot.errors import BotError
from gitops_bot.model.writeback import Proposal
from gitops_bot.text.escape import md_text

BUDGET = 20_000
"""Characters of a pull request's text that the diff may take."""


class RenderedDiffs:
    """Renders what proposals would change, each once a run."""

    def __init__(self, place: Place) -> None:
        """Take the repository; the commits that are compared lie in its clone."""
        self._place = place
        self._kept: dict[tuple[str, ...], str] = {}

    def of_proposal(self, base: str, branch: str, proposal: Proposal) -> str:
        """What a proposal changes, made from the commit ``base`` of ``branch``; a sentence where that fails."""
        key = (base, *(f"{file.path} {file.content!r}" for file in proposal.files))
        if key not in self._kept:
            clone = self._place.clone
            commit = clone.commit(base, proposal.subject, proposal.files)
            self._kept[key] = self._shown(clone.repository.directory, base, commit, branch, direct=True)
        return self._kept[key]

    def of_merge(self, base: str, branch: str, head: str) -> str:
        """What merging the commit ``head`` into the commit ``base`` of ``branch`` changes."""
        key = (base, head)
        if key not in self._kept:
            try:
                directory = bring_both(self._place, base, head)
            except BotError as error:
                return _left_out(error)
            self._kept[key] = self._shown(directory, base, head, branch, direct=False)
        return self._kept[key]

    def _shown(self, directory: str, base: str, head: str, branch: str, *, direct: bool) -> str:
        from gitops_bot.review.view import build_view
        from gitops_bot.text.fit import fit_comment

        try:
            revisions = Revisions(repo=directory, base=base, head=head, branch=branch, direct=direct)
            reviewed = run_review(revisions, self._place.wanted, plans=False)
            # Commits of ours differ from run to run, and the text shall not; plans were not asked for.
            view = msgspec.structs.replace(
                build_view(reviewed.report), compared="", plans=(), plan=None, plan_reason=None
            )
            elsewhere = "the checks of this pull request, or `gitops-bot diff`"
            return fit_comment(view, budget=BUDGET, elsewhere=elsewhere, templates=reviewed.templates).text
        except BotError as error:
            return _left_out(error)


def bring_both(place: Place, base: str, head: str) -> str:
    """The directory of a repository that has two commits (full ids), what they have in common, and all their files.

    Raises GitError.
    """
    scratch = place.scratch / f"merge-{head}"
    scratch.mkdir(exist_ok=True)
    checkout = place.checkout if place.target.own else ""
    return bring(checkout or "/nonexistent", [base, head], origin=place.origin, scratch=scratch)


def _left_out(error: BotError) -> str:
    return f"_It could not be rendered here: {md_text(' '.join(error.message.split())[:300])}_"
